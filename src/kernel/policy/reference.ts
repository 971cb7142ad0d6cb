import type { PolicyRule } from './rule.ts';

/** Rules under a heading. */
export interface ReferenceSection {
  title: string;
  /** One sentence or more of Markdown. */
  text: string;
  rules: readonly PolicyRule[];
}

/** The policy reference in Markdown: a table per section, in the order given. */
export function policyReference(title: string, text: string, sections: readonly ReferenceSection[]): string {
  return [`# ${title}`, '', text, ...sections.flatMap((section) => ['', `## ${section.title}`, '', section.text, '', ...table(section.rules)]), ''].join('\n');
}

function table(rules: readonly PolicyRule[]): string[] {
  const rows = rules.map((rule) => {
    const operations = rule.operations.map(({ method, path }) => code(`${method} ${path}`)).join('<br>');
    const scope = rule.scope.length === 0 ? 'any' : rule.scope.join(', ');
    const checked = rule.default === '' ? 'every valid token' : code(rule.default);
    return `| ${code(rule.name)} | ${checked} | ${scope} | ${operations} | ${plain(rule.description)} |`;
  });
  return ['| rule | default | scope | operations | meaning |', '| --- | --- | --- | --- | --- |', ...rows];
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

function plain(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').trim();
}
