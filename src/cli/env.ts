import type { Credentials } from './api.ts';
import { quote } from './self.ts';

export const shells = ['sh', 'bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** The variables that openstack clients read. */
export function variables(credentials: Credentials): Record<string, string> {
  return {
    OS_AUTH_URL: credentials.auth_url,
    OS_USERNAME: credentials.username,
    OS_PASSWORD: credentials.password,
    OS_PROJECT_NAME: credentials.project,
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
    OS_REGION_NAME: credentials.region,
    OS_IDENTITY_API_VERSION: '3',
    OS_INTERFACE: 'public',
  };
}

/** What would send a client elsewhere if it were left over from another cloud. */
const foreign = ['OS_CLOUD', 'OS_TOKEN', 'OS_AUTH_TYPE', 'OS_PROJECT_ID', 'OS_USER_DOMAIN_ID', 'OS_PROJECT_DOMAIN_ID', 'OS_SYSTEM_SCOPE', 'OS_DOMAIN_NAME', 'OS_DOMAIN_ID'];

/** Lines for `eval`, in the shell's own words. */
export function exportLines(credentials: Credentials, shell: Shell): string[] {
  const entries = Object.entries(variables(credentials));
  if (shell === 'fish') return [...foreign.map((name) => `set -e ${name};`), ...entries.map(([name, value]) => `set -gx ${name} ${fishQuote(value)};`)];
  return [`unset ${foreign.join(' ')}`, ...entries.map(([name, value]) => `export ${name}=${quote(value)}`)];
}

/** fish knows only \\ and \' inside of single quotes. */
function fishQuote(value: string): string {
  return `'${value.replaceAll(/['\\]/g, '\\$&')}'`;
}
