import type { Expression, RuleSource, TemplatePart } from './rule.ts';

/** Why a rule cannot be read, and where in its text (1-based column; 0: the end, or no place). */
export class RuleSyntaxError extends Error {
  readonly column: number;

  constructor(message: string, column: number) {
    super(column === 0 ? message : `${message} (column ${column})`);
    this.name = 'RuleSyntaxError';
    this.column = column;
  }
}

type Token =
  | { type: '(' | ')' | 'and' | 'or' | 'not' | 'end'; column: number }
  | { type: 'check'; check: Expression; column: number };

/**
 * Reads oslo.policy's language (`not` binds tightest, then `and`, then `or`; an empty rule allows).
 * @throws RuleSyntaxError where oslo.policy would log and deny.
 */
export function parseRule(source: RuleSource): Expression {
  return typeof source === 'string' ? parseText(source) : parseList(source);
}

/** Names of the rules that an expression refers to. */
export function ruleReferences(expression: Expression): string[] {
  switch (expression.op) {
    case 'rule':
      return [expression.name];
    case 'not':
      return ruleReferences(expression.of);
    case 'and':
    case 'or':
      return expression.of.flatMap(ruleReferences);
    default:
      return [];
  }
}

function parseText(text: string): Expression {
  if (text.trim() === '') return { op: 'true' };
  const tokens = tokenize(text);
  let at = 0;
  const peek = (): Token => tokens[at] as Token;

  const chain = (op: 'and' | 'or', operand: () => Expression): Expression => {
    const of = [operand()];
    while (peek().type === op) {
      at += 1;
      of.push(operand());
    }
    return of.length === 1 ? (of[0] as Expression) : { op, of };
  };
  const primary = (): Expression => {
    const token = peek();
    at += 1;
    if (token.type === 'check') return token.check;
    if (token.type === 'not') return { op: 'not', of: primary() };
    if (token.type !== '(') throw new RuleSyntaxError(`a check is missing before ${say(token)}`, token.column);
    const inner = or();
    const close = peek();
    if (close.type !== ')') throw new RuleSyntaxError(`")" is missing before ${say(close)}`, close.column);
    at += 1;
    return inner;
  };
  const and = (): Expression => chain('and', primary);
  const or = (): Expression => chain('or', and);

  const expression = or();
  const rest = peek();
  if (rest.type !== 'end') throw new RuleSyntaxError(`"and" or "or" is missing before ${say(rest)}`, rest.column);
  return expression;
}

function parseList(source: Exclude<RuleSource, string>): Expression {
  if (source.length === 0) return { op: 'true' };
  const alternatives: Expression[] = [];
  for (const entry of source) {
    const checks = typeof entry === 'string' ? [entry] : entry;
    // An empty inner list counts for nothing, as in oslo.policy.
    if (checks.length === 0) continue;
    const of = checks.map((check) => parseCheck(check.trim(), 0));
    alternatives.push(of.length === 1 ? (of[0] as Expression) : { op: 'and', of });
  }
  if (alternatives.length === 0) return { op: 'false' };
  return alternatives.length === 1 ? (alternatives[0] as Expression) : { op: 'or', of: alternatives };
}

function say(token: Token): string {
  if (token.type === 'end') return 'the end';
  return token.type === 'check' ? 'the next check' : `"${token.type}"`;
}

/** Words are parted by blanks; parentheses may touch a word. */
function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (const match of text.matchAll(/\S+/g)) {
    let word = match[0];
    let column = match.index + 1;
    while (word.startsWith('(')) {
      tokens.push({ type: '(', column });
      word = word.slice(1);
      column += 1;
    }
    const body = word.replace(/\)+$/, '');
    if (body !== '') tokens.push(wordToken(body, column));
    for (let n = body.length; n < word.length; n += 1) tokens.push({ type: ')', column: column + n });
  }
  tokens.push({ type: 'end', column: 0 });
  return tokens;
}

function wordToken(word: string, column: number): Token {
  const lower = word.toLowerCase();
  if (lower === 'and' || lower === 'or' || lower === 'not') return { type: lower, column };
  return { type: 'check', check: parseCheck(word, column), column };
}

const LITERAL = /^(?:'([^']*)'|"([^"]*)"|(True|False|None|-?\d+(?:\.\d+)?)):(.*)$/s;
const NAMED = /^([A-Za-z_][\w.-]*):(.*)$/s;

function parseCheck(word: string, column: number): Expression {
  if (word === '@') return { op: 'true' };
  if (word === '!') return { op: 'false' };
  const literal = LITERAL.exec(word);
  if (literal !== null) {
    const value = literal[1] ?? literal[2] ?? literal[3] ?? '';
    return { op: 'literal', value, match: parseTemplate(literal[4] ?? '', column) };
  }
  const named = NAMED.exec(word);
  if (named === null) throw new RuleSyntaxError(`"${word}" is not a check (kind:match, @ or !)`, column);
  const [, kind = '', match = ''] = named;
  return namedCheck(kind, match, column);
}

function namedCheck(kind: string, match: string, column: number): Expression {
  if (match === '') throw new RuleSyntaxError(`nothing follows "${kind}:"`, column);
  switch (kind) {
    case 'rule':
      return { op: 'rule', name: match };
    case 'role':
      return { op: 'role', match: parseTemplate(match, column) };
    case 'http':
    case 'https':
    case 'field':
      throw new RuleSyntaxError(`checks of kind "${kind}" are not supported`, column);
    default:
      return { op: 'credential', name: kind, match: parseTemplate(match, column) };
  }
}

/** Python's `%(name)s` and `%%`; any other use of `%` is an error. */
function parseTemplate(text: string, column: number): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let fixed = '';
  const pattern = /%%|%\(([^)]+)\)s|%|[^%]+/g;
  for (const [piece, key] of text.matchAll(pattern)) {
    if (key !== undefined) {
      if (fixed !== '') parts.push({ text: fixed });
      fixed = '';
      parts.push({ key });
    } else if (piece === '%') {
      throw new RuleSyntaxError(`"${text}": after % must come (name)s or %`, column);
    } else {
      fixed += piece === '%%' ? '%' : piece;
    }
  }
  if (fixed !== '' || parts.length === 0) parts.push({ text: fixed });
  return parts;
}
