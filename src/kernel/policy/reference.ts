import type { PolicyRule } from './rule.ts';

/** The policy reference: one Markdown table, in the order given. */
export function policyReference(title: string, rules: readonly PolicyRule[]): string {
  const rows = rules.map((rule) => {
    const operations = rule.operations.map(({ method, path }) => code(`${method} ${path}`)).join('<br>');
    const scope = rule.scope.length === 0 ? 'any' : rule.scope.join(', ');
    const text = rule.default === '' ? 'every valid token' : code(rule.default);
    return `| ${code(rule.name)} | ${text} | ${scope} | ${operations} | ${plain(rule.description)} |`;
  });
  const head = ['| rule | default | scope | operations | meaning |', '| --- | --- | --- | --- | --- |'];
  return [`# ${title}`, '', ...head, ...rows, ''].join('\n');
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

function plain(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').trim();
}
