/** Process entry: `controller` and `agent` are the two services, everything else is the command line. Each loads only its own code. */
const [command, ...rest] = process.argv.slice(2);

if (command === 'controller' || command === 'agent') {
  const { runService } = await import('./cli/service.ts');
  await runService(command, rest);
} else {
  const { runCli } = await import('./cli/main.ts');
  const code = await runCli(process.argv.slice(2));
  // interrupted: what still runs goes no further
  if (code === 130) process.exit(code);
  process.exitCode = code;
}
