import { readFileSync } from 'node:fs';
import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import { PolicyError, type RuleSource } from './rule.ts';

/** Overrides as an operator wrote them. */
export interface PolicyFile {
  overrides: Record<string, RuleSource>;
  /** `policy.yaml:12` of a rule: hand it to `createEnforcer` as `options.where`. */
  where(name: string): string;
}

/** Reads a policy file (YAML, hence JSON too): a map of rule name to text or list. @throws PolicyError */
export function readPolicyFile(path: string): PolicyFile {
  return parsePolicyFile(readFileSync(path, 'utf8'), path);
}

export function parsePolicyFile(text: string, path: string): PolicyFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems = document.errors.map((error) => `${path}:${lines.linePos(error.pos[0]).line}: ${error.message}`);
  const overrides: [string, RuleSource][] = [];
  const lineOf = new Map<string, number>();
  if (isMap(document.contents)) {
    for (const pair of document.contents.items) {
      const name = isScalar(pair.key) ? String(pair.key.value) : '';
      const line = isScalar(pair.key) ? lines.linePos(pair.key.range?.[0] ?? 0).line : 1;
      const source = toSource(isNode(pair.value) ? pair.value.toJS(document) : pair.value);
      if (source === undefined) problems.push(`${path}:${line}: "${name}" must be text or a list of lists of text`);
      else overrides.push([name, source]);
      lineOf.set(name, line);
    }
  } else if (problems.length === 0 && document.contents !== null) {
    problems.push(`${path}:1: a policy file is a map of rule names to rules`);
  }
  if (problems.length > 0) throw new PolicyError(problems);
  return { overrides: Object.fromEntries(overrides), where: (name) => `${path}:${lineOf.get(name) ?? 1}` };
}

function toSource(value: unknown): RuleSource | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const isEntry = (entry: unknown): boolean =>
    typeof entry === 'string' || (Array.isArray(entry) && entry.every((check) => typeof check === 'string'));
  return value.every(isEntry) ? (value as RuleSource) : undefined;
}
