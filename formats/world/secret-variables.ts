/** Environment variables that hold secrets. */
export const SECRET_VARIABLES = {
  pairingCode: 'SAVKIT_PAIRING_CODE',
  teleporterPassword: 'SAVKIT_TELEPORTER_PASSWORD',
  /** Value of the header `Authorization`. */
  httpAuthorization: 'SAVKIT_HTTP_AUTHORIZATION',
  /** Address of the queue of a fleet, which may hold a password. */
  queue: 'SAVKIT_QUEUE',
  s3Secret: 'AWS_SECRET_ACCESS_KEY',
  s3SessionToken: 'AWS_SESSION_TOKEN',
} as const;

/** The environment for programs other than savkit: without secrets, which would outlive this process in a guest's. */
export function environmentOfOthers(): NodeJS.ProcessEnv {
  const environment = { ...process.env };
  for (const name of Object.values(SECRET_VARIABLES)) delete environment[name];
  return environment;
}
