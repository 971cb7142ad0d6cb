import type { Check, Finding, Subject } from './check.ts';
import { checkDocker, checkLeftovers, checkPackages, checkSubnets } from './cloud-checks.ts';
import { checkCheckout, checkClock, checkDataDir, checkDisk, checkHost, checkKernel, checkMemory, checkNode, checkPort, checkRoot, checkSystem } from './host-checks.ts';
import type { Probes } from './probes.ts';

const checks: readonly Check[] = [
  checkSystem, checkRoot, checkNode, checkClock, checkCheckout, checkDataDir, checkMemory, checkDisk,
  checkKernel, checkPackages, checkDocker, checkHost, checkPort, checkSubnets, checkLeftovers,
];

/** All findings in a fixed order. A host that is not Linux gets that one answer. */
export async function examine(probes: Probes, subject: Subject): Promise<Finding[]> {
  const system = await checkSystem(probes, subject);
  if (system.some((finding) => finding.level === 'fail')) return system;
  const findings = await Promise.all(checks.map(async (check) => await check(probes, subject)));
  return findings.flat();
}

const marks = { ok: '✔', warn: '⚠', fail: '✖' } as const;

/** `quiet` leaves out what is well. */
export function formatFindings(findings: readonly Finding[], quiet = false): string[] {
  const shown = quiet ? findings.filter((finding) => finding.level !== 'ok') : findings;
  return shown.flatMap((finding) => [
    `${marks[finding.level]} ${finding.id.padEnd(15)} ${finding.title}`,
    ...(finding.cause === undefined ? [] : [`  cause: ${finding.cause}`]),
    ...(finding.fix === undefined ? [] : [`  fix:   ${finding.fix}`]),
  ]);
}
