import { TELLING_CODES } from './codes/codes.ts';
import { type Explanation, explanationNamed, explanationOfNumber } from './explain.ts';
import { placeIn } from './log-places.ts';
import type { LogRecord } from './log-records.ts';
import { explainQemu } from './qemu-messages.ts';

// Recognises lines which tell that saving or loading has failed.

const CODE = /\bV(?:ERR|INF|WRN)_[A-Z0-9_]*[A-Z0-9]\b/gi;
/** Negative numbers as 32 bits. */
const HEXADECIMAL = /\b0x(?=ffff)[0-9a-f]{8}\b/i;
const NUMBER = /(?:\b(?:v?rc|status|error|code|NACK)\s*[=:]?\s*|\()(-\d{1,5})\b(?!\.)/i;
const ABOUT_STATES =
  /\b(?:SSM|LoadExec|SaveExec|saved[ -]?(?:VM[ -]|machine[ -])?states?|state file|savestate|restor(?:e|ed|ing)|snapshots?|teleport\w*|data unit|load(?:ing)? (?:the |a )?(?:unit|state|saved|VM|machine)|VMR3(?:Load|Save|Teleport)\w*|\.sav\b|Power up failed)/i;
const ABOUT_SAVING = /\bsav(?:e|ing)\b/i;
const OTHER_SAVING = /\b(?:settings|screenshot|log file)\b/i;
const SAVED_STATE = /\bsaved[ -]?(?:VM[ -]|machine[ -])?state/i;
const SAYS_FAILED =
  /fail|error|could not|couldn't|can ?not|can't|unable|invalid|refus|abort|missing|mismatch|corrupt|not (?:found|supported|available)|unsupported|denied|\brc=|\bvrc=/i;
const OTHER_LOADING = /\b(?:module|driver|library|plug-?in|extension pack|image|medi(?:um|a)|DLL|symbol)\b/i;
/** Words for states and snapshots in languages of VirtualBox other than English. */
const ABOUT_STATES_ELSEWHERE =
  /zustand|sicherungspunkt|wiederherst|sauvegard|instantané|restaur|\bestado|instantánea|\bstato|istantanea|ripristin|\bstanu?\b|migawk|toestand|momentopname|\bstavu?\b|snímk?|tillstånd|ögonblicksbild|tilstand|pillanatfelv|állapot|anlık görüntü|\bdurum|состояни|снимок|снимк|сохран|восстанов|знімок|знімк|відновл|状态|狀態|快照|恢复|還原|保存|状態|スナップショット|復元|상태|스냅샷|복원/i;
/** Words for the session that could not be opened, in titles of windows about machines that do not start. */
const ABOUT_SESSIONS_ELSEWHERE =
  /sitzung|session|sesión|sessão|sesj[iaę]|relac[ie]|sezení|sessie|munkamenet|istunto|oturum|sesiune|сесси|сеанс|сесі|会话|會話|工作階段|任务|セッション|세션/i;
const FAILED_ELSEWHERE =
  /nicht|keine|ungültig|fehl|échec|échou|impossib|invalide|no se (?:pudo|puede)|fall[óo]|imposible|non (?:è|riuscit)|errore|não|falh|nie (?:można|udało)|mislukt|niet|nepoda|nelze|selhal|misslyck|kunde inte|kunne ikke|mislyk|epäonnist|nem siker|sikertelen|açılamadı|başarısız|nu s-a putut|e[șş]uat|не удалось|невозможно|ошибка|не вдалося|помилка|无法|不能|失败|無法|失敗|无效|できません|ませんでした|실패|없습니다/i;
/** Codes of VirtualBox's interfaces, and the word with which its command line begins an error. */
const OF_AN_INTERFACE = /\b(?:VBOX_E_\w+|E_FAIL|NS_ERROR_\w+)\b|^VBoxManage(?:\.exe)?: error: /;
/** A code in brackets gives the reason of a message in any language. */
const REASON = /[(\uff08]VERR_\w+[)\uff09]/i;
/** Words that VirtualBox uses only for failures; they count where the end of the line, with its code, is lost. */
const ONLY_FAILURES =
  /\b(?:Load|Save)Exec failed for '|\bFailed to load unit '|Found no handler for unit '|Unsupported version \d+ of data unit|: Device in slot 0x\w+ has been removed|: New device in slot|: Config mismatch - |VM is missing a \w+ on port|USB [23]\.0 controller not found|\berror: (?=[\w-]*[a-z])[\w-]+#\d+: /i;
type Words = readonly (readonly [RegExp, string])[];

/** Words without a code that tell of a failure in logs and messages. */
const WITHOUT_CODE: Words = [
  [/to 'LOAD_FAILURE'/, 'load-failed'],
  [
    /session was closed before any attempt to power it on|has terminated (?:unexpectedly|abnormally) during startup|VM session was aborted|Failed to open a session\b/i,
    'start-failed',
  ],
  [/is already locked (?:by|for) a session/i, 'machine-in-use'],
];
/**
 * Words without a code that tell of a failure in messages only: in logs they tell of everyday troubles, and failures
 * have codes.
 */
const MESSAGES_WITHOUT_CODE: Words = [
  [/\b(?:could not|cannot|unable to) (?:find|open|read)\b.{0,40}\b(?:saved state|state file)\b/i, 'load-failed'],
  [/\b(?:saved[ -]?state|state file|snapshot)\b.{0,300}\b(?:invalid|corrupt(?:ed)?|damaged)\b/i, 'load-failed'],
  [
    /\b(?:fail(?:ed|ure)?|could not|cannot|unable)\b.{0,40}\b(?:restor|load|resum).{0,60}\b(?:state|snapshot)\b/i,
    'load-failed',
  ],
  [
    /\b(?:fail(?:ed|ure)?|could not|cannot|unable)\b.{0,40}\b(?:save|saving|tak|creat).{0,60}\b(?:state|snapshot)\b/i,
    'save-failed',
  ],
];

/** Explains the failure in a line; undefined for a line without one. */
export function failureIn(text: string): Explanation | undefined {
  const names = codesIn(text);
  const isAbout = isAboutStates(text);
  const says = (isAbout && SAYS_FAILED.test(text)) || (REASON.test(text) && ABOUT_STATES_ELSEWHERE.test(text));
  const name =
    names.find((own) => TELLING_CODES.has(own)) ?? (says || placeIn(text).version !== undefined ? names[0] : undefined);
  if (name !== undefined) return explanationNamed(name);
  if (!says && !/PGM|save|NACK/i.test(text)) return;
  const hexadecimal = HEXADECIMAL.exec(text)?.[0];
  const number = NUMBER.exec(text)?.[1] ?? (hexadecimal === undefined ? undefined : Number(hexadecimal) | 0);
  return number === undefined ? undefined : explanationOfNumber(Number(number));
}

/** Explains the code that a later paragraph of a message names; undefined where it names none. */
export function reasonIn(text: string): Explanation | undefined {
  const [name] = codesIn(text);
  return name === undefined ? undefined : explanationNamed(name);
}

function codesIn(text: string): string[] {
  const names = (text.match(CODE) ?? []).map((name) => name.toUpperCase()).filter((name) => name.startsWith('VERR_'));
  const last = names.at(-1);
  if (last !== undefined && text.toUpperCase().endsWith(last)) names[names.length - 1] = wholeOf(last);
  return names;
}

/** Completes a code whose end was cut off, where only one code has that beginning. */
function wholeOf(cut: string): string {
  const whole = TELLING_CODES.has(cut) ? [] : [...TELLING_CODES].filter((name) => name.startsWith(cut));
  return whole.length === 1 ? whole[0] : cut;
}

/** Whether a line is about a saved state, and not about another thing that is loaded or saved. */
export function isAboutStates(text: string): boolean {
  if (ABOUT_STATES.test(text))
    return !OTHER_LOADING.test(text) || SAVED_STATE.test(text) || placeIn(text).unit !== undefined;
  return ABOUT_SAVING.test(text) && !OTHER_SAVING.test(text);
}

/** Whether a line without a code tells of a failure beyond doubt. */
export function isCertainFailure(text: string): boolean {
  return ONLY_FAILURES.test(text);
}

/** Explains a failure by its words alone, for records without a code. */
export function failureWithoutCode({ text, isLog }: LogRecord): Explanation | undefined {
  const known = [...WITHOUT_CODE, ...(isLog ? [] : MESSAGES_WITHOUT_CODE)].find(([words]) => words.test(text))?.[1];
  const name = known ?? (isLog ? undefined : failureOfMessage(text));
  return name !== undefined && explainQemu(text).length === 0 ? explanationNamed(name) : undefined;
}

function failureOfMessage(text: string): string | undefined {
  const saysElsewhere = FAILED_ELSEWHERE.test(text);
  if (saysElsewhere && ABOUT_STATES_ELSEWHERE.test(text)) return 'state-failed';
  if (OF_AN_INTERFACE.test(text) && SAYS_FAILED.test(text) && isAboutStates(text)) return 'state-failed';
  return saysElsewhere && ABOUT_SESSIONS_ELSEWHERE.test(text) ? 'start-failed' : undefined;
}
