import type { Auth } from '../context.ts';
import type { Expression, TemplatePart } from './rule.ts';

/** What is acted upon: fields of the resource, nested or with dotted names. */
export type Target = Readonly<Record<string, unknown>>;
export type Check = (auth: Auth, target: Target) => boolean;
export type Lookup = (rule: string) => Check;

type Read = (target: Target) => string | undefined;

/** What a rule may ask of the caller. Keystone's older words (`tenant_id`) stay valid. */
const CREDENTIALS: Readonly<Record<string, (auth: Auth) => string | boolean | readonly string[] | undefined>> = {
  user_id: (auth) => auth.user_id,
  user: (auth) => auth.user_id,
  user_name: (auth) => auth.user_name,
  user_domain_id: (auth) => auth.user_domain_id,
  user_domain_name: (auth) => auth.user_domain_name,
  project_id: (auth) => auth.project_id,
  tenant_id: (auth) => auth.project_id,
  tenant: (auth) => auth.project_id,
  project_name: (auth) => auth.project_name,
  project_domain_id: (auth) => auth.project_domain_id,
  domain_id: (auth) => auth.domain_id,
  domain_name: (auth) => auth.domain_name,
  system_scope: (auth) => auth.system_scope,
  system: (auth) => auth.system_scope,
  roles: (auth) => auth.roles,
  is_admin_project: (auth) => auth.is_admin_project,
  application_credential_id: (auth) => auth.application_credential_id,
  trust_id: (auth) => auth.trust_id,
};

/** The rule behind the credential `is_admin`, which services compute from it. */
export const ADMIN_RULE = 'context_is_admin';

export function isCredential(name: string): boolean {
  return name === 'is_admin' || Object.hasOwn(CREDENTIALS, name);
}

/** Expression → closure, built once. A reference is looked up on its first use, so order does not matter. */
export function compile(expression: Expression, lookup: Lookup): Check {
  switch (expression.op) {
    case 'true':
      return () => true;
    case 'false':
      return () => false;
    case 'not': {
      const inner = compile(expression.of, lookup);
      return (auth, target) => !inner(auth, target);
    }
    case 'and': {
      const all = expression.of.map((part) => compile(part, lookup));
      return (auth, target) => all.every((check) => check(auth, target));
    }
    case 'or': {
      const any = expression.of.map((part) => compile(part, lookup));
      return (auth, target) => any.some((check) => check(auth, target));
    }
    case 'rule':
      return reference(expression.name, lookup);
    case 'role':
      return role(compileTemplate(expression.match));
    case 'literal': {
      const right = compileTemplate(expression.match);
      return (_auth, target) => right(target) === expression.value;
    }
    case 'credential':
      return credential(expression.name, compileTemplate(expression.match), lookup);
  }
}

function reference(name: string, lookup: Lookup): Check {
  let found: Check | undefined;
  return (auth, target) => (found ??= lookup(name))(auth, target);
}

function role(read: Read): Check {
  return (auth, target) => {
    const wanted = read(target)?.toLowerCase();
    return wanted !== undefined && auth.roles.some((has) => has.toLowerCase() === wanted);
  };
}

function credential(name: string, right: Read, lookup: Lookup): Check {
  if (name === 'is_admin') {
    const admin = reference(ADMIN_RULE, lookup);
    return (auth, target) => right(target) === pythonText(admin(auth, target));
  }
  const left = CREDENTIALS[name];
  if (left === undefined) throw new Error(`unknown credential ${name}`);
  return (auth, target) => {
    const has = left(auth);
    const wanted = right(target);
    // A caller without a project never equals a resource without one.
    if (has === undefined || wanted === undefined) return false;
    return typeof has === 'object' ? has.includes(wanted) : pythonText(has) === wanted;
  };
}

function compileTemplate(parts: TemplatePart[]): Read {
  const reads = parts.map((part): Read => ('text' in part ? () => part.text : keyReader(part.key)));
  const only = reads[0];
  if (reads.length === 1 && only !== undefined) return only;
  return (target) => {
    let out = '';
    for (const read of reads) {
      const piece = read(target);
      if (piece === undefined) return undefined;
      out += piece;
    }
    return out;
  };
}

/** `target.user.id` finds the key of that name, the path, or either without the leading `target.`. */
function keyReader(key: string): Read {
  const names = key.startsWith('target.') ? [key, key.slice('target.'.length)] : [key];
  const paths = names.map((name) => name.split('.'));
  return (target) => {
    for (const name of names) {
      if (Object.hasOwn(target, name) && target[name] !== undefined) return pythonText(target[name]);
    }
    for (const path of paths) {
      const found = path.length > 1 ? dig(target, path) : undefined;
      if (found !== undefined) return pythonText(found);
    }
    return undefined;
  };
}

function dig(from: unknown, path: string[]): unknown {
  let value = from;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}

/** As `str()` writes it, since rule files compare with that; undefined for what has no plain text. */
function pythonText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (value === null) return 'None';
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : undefined;
}
