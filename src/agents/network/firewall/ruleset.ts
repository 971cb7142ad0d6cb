import { createHash } from 'node:crypto';

/** What is to be in nftables. Tables: `netdev port`, `bridge sw`, `inet fw`; keys are `family table name`. */
export interface Ruleset {
  chains: Map<string, Chain>;
  sets: Map<string, NamedSet>;
}

export interface Chain {
  key: string;
  /** `{ type filter hook … ; policy … ; }` of a base chain; empty otherwise. */
  base: string;
  rules: string[];
  /** Of base and rules; every rule carries it as its comment, so that drift shows in a listing. */
  digest: string;
}

export interface NamedSet {
  key: string;
  kind: 'set' | 'map';
  /** `type ipv4_addr; flags interval;` */
  spec: string;
  /** Element, or `key : value` in a map, in nft's own notation. */
  elements: Set<string>;
}

/** What is in nftables: chains by digest (`''` when rules are foreign or missing), sets by elements. */
export interface ObservedRuleset {
  tables: Set<string>;
  chains: Map<string, string>;
  sets: Map<string, { kind: 'set' | 'map'; elements: Set<string> }>;
}

export const TABLES = ['netdev port', 'bridge sw', 'inet fw'] as const;

export const emptyRuleset = (): Ruleset => ({ chains: new Map(), sets: new Map() });
export const emptyObserved = (): ObservedRuleset => ({ tables: new Set(), chains: new Map(), sets: new Map() });

export function addChain(ruleset: Ruleset, key: string, base: string, rules: string[]): void {
  const digest = createHash('sha1').update([base, ...rules].join('\n')).digest('hex').slice(0, 10);
  ruleset.chains.set(key, { key, base, rules, digest: `${digest}/${rules.length}` });
}

export function addSet(ruleset: Ruleset, kind: 'set' | 'map', key: string, spec: string, elements: Iterable<string>): void {
  ruleset.sets.set(key, { key, kind, spec, elements: new Set(elements) });
}

/** The observation that a kernel gives which holds exactly this. */
export function asObserved(ruleset: Ruleset): ObservedRuleset {
  const chains = new Map([...ruleset.chains].map(([key, chain]) => [key, chain.digest]));
  const sets = new Map([...ruleset.sets].map(([key, set]) => [key, { kind: set.kind, elements: new Set(set.elements) }]));
  return { tables: new Set(TABLES), chains, sets };
}

/** Few elements per command keep an error's text readable and nft's lines short. */
function elementCommands(verb: 'add' | 'delete', key: string, elements: string[]): string[] {
  const commands: string[] = [];
  for (let start = 0; start < elements.length; start += 200) {
    commands.push(`${verb} element ${key} { ${elements.slice(start, start + 200).join(', ')} }`);
  }
  return commands;
}

const keyOf = (element: string): string => element.split(' : ')[0] ?? element;

/**
 * The commands of one transaction that makes `observed` into `desired`. With `keep` nothing is removed that is
 * merely unknown: for a change that knows only a part of the node.
 * Order: new tables, chains and sets; elements that go; rules of changed chains; elements that come; removal.
 */
export function diffRuleset(desired: Ruleset, observed: ObservedRuleset, keep = false, all: readonly string[] = TABLES): string[] {
  const tables = all.filter((table) => !observed.tables.has(table)).map((table) => `add table ${table}`);
  const changed = [...desired.chains.values()].filter((chain) => observed.chains.get(chain.key) !== chain.digest);
  const staleChains = [...observed.chains.keys()].filter((key) => !keep && !desired.chains.has(key));
  const staleSets = [...observed.sets.keys()].filter((key) => !keep && !desired.sets.has(key));

  const sets = setCommands(desired, observed, keep);
  const chains = changed.flatMap((chain) => openChain(chain, observed.chains.has(chain.key)));
  const rules = changed.flatMap((chain) => chain.rules.map((rule) => `add rule ${chain.key} ${rule} comment "${chain.digest}"`));
  const clear = staleSets.map((key) => `flush ${observed.sets.get(key)?.kind ?? 'set'} ${key}`);
  const drop = [
    ...staleChains.map((key) => `add chain ${key}`),
    ...staleChains.map((key) => `flush chain ${key}`),
    ...staleChains.map((key) => `delete chain ${key}`),
    ...staleSets.map((key) => `delete ${observed.sets.get(key)?.kind ?? 'set'} ${key}`),
  ];
  return [...tables, ...sets.create, ...chains, ...clear, ...sets.remove, ...rules, ...sets.add, ...drop];
}

/** A base chain is made anew when it changes: its device or hook cannot be altered in place. */
function openChain(chain: Chain, there: boolean): string[] {
  if (chain.base === '') return there ? [`flush chain ${chain.key}`] : [`add chain ${chain.key}`];
  const anew = there ? [`add chain ${chain.key}`, `flush chain ${chain.key}`, `delete chain ${chain.key}`] : [];
  return [...anew, `add chain ${chain.key} ${chain.base}`];
}

function setCommands(desired: Ruleset, observed: ObservedRuleset, keep: boolean): { create: string[]; remove: string[]; add: string[] } {
  const create: string[] = [];
  const remove: string[] = [];
  const add: string[] = [];
  for (const set of desired.sets.values()) {
    const now = observed.sets.get(set.key);
    if (now === undefined) create.push(`add ${set.kind} ${set.key} { ${set.spec} }`);
    const before = now?.elements ?? new Set<string>();
    const keys = new Set([...set.elements].map(keyOf));
    const stale = [...before].filter((element) => !set.elements.has(element) && (!keep || keys.has(keyOf(element))));
    remove.push(...elementCommands('delete', set.key, stale.map(keyOf)));
    add.push(...elementCommands('add', set.key, [...set.elements].filter((element) => !before.has(element))));
  }
  return { create, remove, add };
}

/** What the kernel holds after a change with `keep`. */
export function mergeObserved(observed: ObservedRuleset, desired: Ruleset): ObservedRuleset {
  const merged = asObserved(desired);
  for (const [key, digest] of observed.chains) if (!merged.chains.has(key)) merged.chains.set(key, digest);
  for (const [key, set] of observed.sets) {
    const mine = merged.sets.get(key);
    if (mine === undefined) merged.sets.set(key, set);
    else {
      const keys = new Set([...mine.elements].map(keyOf));
      for (const element of set.elements) if (!keys.has(keyOf(element))) mine.elements.add(element);
    }
  }
  return merged;
}
