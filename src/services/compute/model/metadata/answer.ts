/** What a server reads at a path of its metadata service. Pure. */
import { EC2_VERSIONS, ec2Answer, ec2MetaData, type Ec2Version } from './ec2.ts';
import type { InstanceFacts } from './facts.ts';
import { contentName, OPENSTACK_VERSIONS, openstackFile, openstackFiles, type OpenstackVersion } from './openstack.ts';

export interface MetadataAnswer {
  type: string;
  body: Buffer;
}

const text = (body: string): MetadataAnswer => ({ type: 'text/plain; charset=UTF-8', body: Buffer.from(body) });

/** Undefined: 404. The password is not among them: see `isPasswordPath`. */
export function metadataAnswer(facts: InstanceFacts, path: string): MetadataAnswer | undefined {
  const parts = pathParts(path);
  const [first, ...rest] = parts;
  if (first === undefined) return text(EC2_VERSIONS.join('\n'));
  return first === 'openstack' ? openstackAnswer(facts, rest) : ec2(facts, first, rest);
}

/** Of the versions that know it: where a guest leaves the password that it has encrypted for its owner. */
export function isPasswordPath(path: string): boolean {
  const [first, version, name, ...more] = pathParts(path);
  return first === 'openstack' && name === 'password' && more.length === 0 && isOpenstack(version) && openstackFiles({ user_data: null }, version).includes('password');
}

const pathParts = (path: string): string[] => path.split('/').filter((part) => part !== '');
const isOpenstack = (version: string | undefined): version is OpenstackVersion => OPENSTACK_VERSIONS.includes(version as OpenstackVersion);

function openstackAnswer(facts: InstanceFacts, parts: readonly string[]): MetadataAnswer | undefined {
  const [version, name, ...more] = parts;
  if (version === undefined) return text(OPENSTACK_VERSIONS.join('\n'));
  if (version === 'content') return contentAnswer(facts, parts.slice(1));
  if (!isOpenstack(version)) return undefined;
  if (name === undefined) return text(openstackFiles(facts, version).join('\n'));
  const body = more.length > 0 ? undefined : openstackFile(facts, version, name);
  if (body === undefined) return undefined;
  return { type: name.endsWith('.json') ? 'application/json' : 'text/plain; charset=UTF-8', body };
}

function contentAnswer(facts: InstanceFacts, parts: readonly string[]): MetadataAnswer | undefined {
  const index = facts.files.findIndex((_, at) => contentName(at) === parts[0]);
  if (index < 0 || parts.length !== 1) return undefined;
  return { type: 'application/octet-stream', body: Buffer.from(facts.files[index]!.content, 'base64') };
}

function ec2(facts: InstanceFacts, version: string, path: readonly string[]): MetadataAnswer | undefined {
  if (!EC2_VERSIONS.includes(version as Ec2Version)) return undefined;
  const [part, ...more] = path;
  if (part === undefined) return text(facts.user_data === null ? 'meta-data/' : 'meta-data/\nuser-data');
  if (part === 'user-data') return facts.user_data === null || more.length > 0 ? undefined : { type: 'text/plain; charset=UTF-8', body: facts.user_data };
  if (part !== 'meta-data') return undefined;
  const found = ec2Answer(ec2MetaData(facts, version as Ec2Version), more);
  return found === undefined ? undefined : text(found);
}
