/** Makes key pairs, and tells the fingerprints of those that are given. */
import { execFile } from 'node:child_process';
import { generateKeyPair, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { badRequest, notImplemented, type Fault } from '../../../kernel/fault.ts';
import { sshFingerprint, sshRsaLine } from './ssh-public-key.ts';

export type KeyType = 'ssh' | 'x509';

export interface KeyMaterial {
  public_key: string;
  fingerprint: string;
  /** PEM for ssh; for x509 a PKCS #12 container without password, in base64. */
  private_key: string;
}

const RSA_BITS = 2048;

const invalid = (reason: string): Fault => badRequest('compute.keypair-invalid', `Keypair data is invalid: ${reason}`);

/** MD5 of an ssh key, SHA-1 of a certificate, in pairs of digits. @throws Fault 400 */
export function fingerprintOf(type: KeyType, public_key: string): string {
  if (type === 'x509') return certificateFingerprint(public_key);
  const found = sshFingerprint(public_key);
  if (found === undefined) throw invalid('failed to generate fingerprint');
  return found;
}

function certificateFingerprint(pem: string): string {
  try {
    return new X509Certificate(pem).fingerprint.toLowerCase();
  } catch (cause) {
    throw badRequest('compute.keypair-invalid', 'Keypair data is invalid: failed to generate X509 fingerprint. Error message: it is no PEM certificate', { cause });
  }
}

/** Off the event loop. @throws Fault 501 for x509 on a machine without openssl. */
export async function generateKey(type: KeyType, user_id: string): Promise<KeyMaterial> {
  return type === 'ssh' ? await generateSshKey() : await generateCertificate(user_id);
}

async function generateSshKey(): Promise<KeyMaterial> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: RSA_BITS });
  const { n, e } = publicKey.export({ format: 'jwk' });
  const public_key = sshRsaLine(Buffer.from(n!, 'base64url'), Buffer.from(e!, 'base64url'), 'Generated-by-Nova');
  const private_key = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  return { public_key, private_key, fingerprint: fingerprintOf('ssh', public_key) };
}

const run = promisify(execFile);

/** A client certificate for logins over WinRM: the user is named in it as `<user>@localhost`. */
async function generateCertificate(user_id: string): Promise<KeyMaterial> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-key-'));
  try {
    const [config, key, certificate, bundle] = ['config', 'key', 'certificate', 'bundle'].map((name) => join(directory, name)) as [string, string, string, string];
    await writeFile(config, certificateConfig(user_id), { mode: 0o600 });
    await run('openssl', [
      'req', '-x509', '-nodes', '-days', '3650', '-config', config, '-newkey', `rsa:${RSA_BITS}`, '-outform', 'PEM', '-keyout', key,
      '-out', certificate, '-subj', `/CN=${user_id}`, '-extensions', 'v3_req_client',
    ]);
    await run('openssl', ['pkcs12', '-export', '-inkey', key, '-in', certificate, '-password', 'pass:', '-out', bundle]);
    const public_key = await readFile(certificate, 'utf8');
    return { public_key, private_key: (await readFile(bundle)).toString('base64'), fingerprint: certificateFingerprint(public_key) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw notImplemented('compute.no-openssl', 'This cloud cannot make x509 key pairs, since its controller has no openssl: give a public_key instead.');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function certificateConfig(user_id: string): string {
  return [
    'distinguished_name = req_distinguished_name',
    '[req_distinguished_name]',
    '[v3_req_client]',
    'extendedKeyUsage = clientAuth',
    `subjectAltName = otherName:1.3.6.1.4.1.311.20.2.3;UTF8:${user_id}@localhost`,
    '',
  ].join('\n');
}
