import type { AccessRule } from '../context.ts';

/** Whether one of the rules is for this call; `*` and `{name}` stand for one part of a path, `**` for any number, as in keystonemiddleware. */
export function isAllowedByRules(rules: readonly AccessRule[], call: AccessRule): boolean {
  return rules.some((rule) => rule.service === call.service && rule.method === call.method && toPattern(rule.path).test(call.path));
}

function toPattern(path: string): RegExp {
  const text = path.replaceAll(/\{[^}]*\}|\*\*|\*|[^{*]+|\{/g, (piece) => {
    if (piece === '**') return '.*';
    if (piece === '*' || (piece.startsWith('{') && piece.endsWith('}'))) return '[^/]+';
    return RegExp.escape(piece);
  });
  return new RegExp(`^${text}$`, 's');
}
