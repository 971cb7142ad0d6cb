import pino from 'pino';

/** What the code may log with; pino behind it. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Log;
}

/** Field names whose value never reaches a log, at any of the depths that our records have. */
const SECRET_FIELDS = [
  'password', 'adminPass', 'original_password', 'secret', 'token', 'key', 'private_key', 'user_data',
  'authorization', 'x-auth-token', 'x-subject-token', 'join_token', 'blob',
];

export interface LogOptions {
  level?: string;
  name?: string;
  destination?: pino.DestinationStream;
}

export function createLog(options: LogOptions = {}): Log {
  const paths = SECRET_FIELDS.flatMap((name) => {
    const key = name.includes('-') ? `["${name}"]` : name;
    const under = name.includes('-') ? `*["${name}"]` : `*.${name}`;
    return [key, under];
  });
  return pino(
    {
      level: options.level ?? 'info',
      base: options.name === undefined ? null : { name: options.name },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths, censor: '***' },
      serializers: { err: pino.stdSerializers.errWithCause },
      formatters: { level: (label) => ({ level: label }) },
    },
    options.destination ?? standardOutput(),
  );
}

/** On a full disk lines are lost, and nothing else. */
function standardOutput(): pino.DestinationStream {
  const stream = pino.destination({ dest: 1, sync: false });
  stream.on('error', () => {});
  return stream;
}

/** Says nothing: for tests. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
};
