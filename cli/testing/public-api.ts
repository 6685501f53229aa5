import { relative } from 'node:path';
import ts from 'typescript';

/** The exports of the package's doors, and gaps in them. */
export interface PublicApi {
  /** Names of exports, by door. */
  names: Map<string, string[]>;
  /** Exports and public members without a docstring: `file Owner.member`. */
  undocumented: string[];
  /** Types in public signatures that no door exports: `file Name, in Owner`. */
  hidden: string[];
}

/**
 * Reads the declarations of the doors. Members marked `@internal` are not in them, since the compiler leaves those out.
 * @param root folder of all declarations that are the package's own @param doors paths of `.d.ts` files in it
 */
export function readPublicApi(root: string, doors: readonly string[]): PublicApi {
  const program = ts.createProgram(
    doors.map((door) => `${root}/${door}`),
    { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2023, types: [], noLib: true, skipLibCheck: true },
  );
  const checker = program.getTypeChecker();
  const isOurs = (declaration: ts.Declaration) => declaration.getSourceFile().fileName.startsWith(root);
  const fileOf = (symbol: ts.Symbol) => relative(root, symbol.declarations?.[0].getSourceFile().fileName ?? '');
  const target = (symbol: ts.Symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;

  const names = new Map<string, string[]>();
  const shown = new Set<ts.Symbol>();
  /** Classes that callers can name, but not construct. */
  const onlyTypes = new Set<ts.Symbol>();
  for (const door of doors) {
    const file = program.getSourceFile(`${root}/${door}`);
    const module = file && checker.getSymbolAtLocation(file);
    if (!module) throw new Error(`${door} is no module of the build`);
    const exports = checker.getExportsOfModule(module);
    names.set(
      door,
      exports.map(({ name }) => name),
    );
    for (const symbol of exports) {
      shown.add(target(symbol));
      if (symbol.declarations?.some(ts.isTypeOnlyExportDeclaration)) onlyTypes.add(target(symbol));
    }
  }

  const undocumented = new Set<string>();
  const hidden = new Set<string>();
  for (const symbol of shown) {
    if (!isDocumented(symbol, checker)) undocumented.add(`${fileOf(symbol)} ${symbol.name}`);
    for (const declaration of symbol.declarations ?? []) {
      for (const member of membersOf(declaration)) {
        if (ts.isConstructorDeclaration(member) && (member.parameters.length === 0 || onlyTypes.has(symbol))) continue;
        if (!isMemberDocumented(member, checker))
          undocumented.add(`${fileOf(symbol)} ${symbol.name}.${member.name?.getText() ?? 'constructor'}`);
      }
      for (const name of typesNamedIn(declaration, onlyTypes.has(symbol))) {
        const symbolOfName = checker.getSymbolAtLocation(name);
        const named = symbolOfName && target(symbolOfName);
        if (!named?.declarations?.some(isOurs) || named.flags & ts.SymbolFlags.TypeParameter) continue;
        if (!shown.has(named)) hidden.add(`${fileOf(named)} ${named.name}, in ${symbol.name}`);
      }
    }
  }
  return { names, undocumented: [...undocumented].sort(), hidden: [...hidden].sort() };
}

type Member = ts.ClassElement | ts.TypeElement;

/** Public members of a class or an interface; of a type, those of the object types that it is made of. */
function membersOf(declaration: ts.Declaration): Member[] {
  const members: Member[] = [];
  if (ts.isClassDeclaration(declaration) || ts.isInterfaceDeclaration(declaration))
    members.push(...declaration.members);
  else if (ts.isTypeAliasDeclaration(declaration)) {
    const search = (node: ts.Node): void => {
      if (ts.isTypeLiteralNode(node)) members.push(...node.members);
      ts.forEachChild(node, search);
    };
    search(declaration.type);
  }
  return members.filter((member) => !isPrivate(member) && !isDiscriminant(member));
}

function isPrivate(node: ts.Node): boolean {
  const member = node as Member;
  return (
    (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private) !== 0 ||
    (member.name !== undefined && ts.isPrivateIdentifier(member.name))
  );
}

/** Tells whether a member has one possible value, and so tells the members of a union apart. */
function isDiscriminant(member: Member): boolean {
  return ts.isPropertySignature(member) && member.type !== undefined && ts.isLiteralTypeNode(member.type);
}

/** Names of types that users need for a declaration; values behind `typeof` are looked through by compilers. */
function* typesNamedIn(node: ts.Node, isOnlyType: boolean): Generator<ts.Node> {
  if ((ts.isClassElement(node) || ts.isTypeElement(node)) && isPrivate(node)) return;
  if (ts.isConstructorDeclaration(node) && isOnlyType) return;
  if (ts.isTypeReferenceNode(node)) yield node.typeName;
  else if (ts.isExpressionWithTypeArguments(node)) yield node.expression;
  else if (ts.isImportTypeNode(node) && node.qualifier) yield node.qualifier;
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => {
    children.push(child);
  });
  for (const child of children) yield* typesNamedIn(child, isOnlyType);
}

function isMemberDocumented(member: Member, checker: ts.TypeChecker): boolean {
  if (ts.isConstructorDeclaration(member)) return ts.getJSDocCommentsAndTags(member).length > 0;
  const symbol = (member as ts.Node & { symbol?: ts.Symbol }).symbol;
  return symbol === undefined || isDocumented(symbol, checker);
}

/** Whether a symbol has a docstring: one of its own, or one of what its class implements or extends. */
function isDocumented(symbol: ts.Symbol, checker: ts.TypeChecker): boolean {
  return symbol.getDocumentationComment(checker).length > 0 || symbol.getJsDocTags(checker).length > 0;
}
