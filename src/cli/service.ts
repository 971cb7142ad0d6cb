import { parseArgs } from 'node:util';

/** `gantry controller|agent --config FILE`: runs until TERM. */
export async function runService(role: 'controller' | 'agent', args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { config: { type: 'string' } } });
  if (values.config === undefined) {
    process.stderr.write(`usage: gantry ${role} --config FILE\n`);
    process.exitCode = 2;
    return;
  }
  process.exitCode = 3;
}
