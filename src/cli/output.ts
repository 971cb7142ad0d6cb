/** Where commands write; tests hand in one that collects. */
export interface Output {
  /** Results, to standard output. */
  print(line: string): void;
  /** Progress and complaints, to standard error. */
  note(line: string): void;
  /** Whether a person watches. */
  readonly tty: boolean;
  readonly colour: boolean;
}

export function terminal(): Output {
  // who reads us may stop: `gantry status | head -1`
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit();
    });
  }
  const tty = process.stderr.isTTY === true && process.env['CI'] === undefined;
  return {
    print: (line) => void process.stdout.write(`${line}\n`),
    note: (line) => void process.stderr.write(`${line}\n`),
    tty,
    colour: tty && process.env['NO_COLOR'] === undefined && process.env['TERM'] !== 'dumb',
  };
}

const codes = { green: 32, yellow: 33, red: 31, bold: 1, dim: 2 } as const;

export function paint(output: Output, colour: keyof typeof codes, text: string): string {
  return output.colour ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text;
}

/** Columns as wide as their widest cell, two spaces apart. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd());
}

/** `0.4 s`, `1 m 05 s`. */
export function seconds(milliseconds: number): string {
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const whole = Math.round(milliseconds / 1000);
  return `${Math.floor(whole / 60)} m ${String(whole % 60).padStart(2, '0')} s`;
}
