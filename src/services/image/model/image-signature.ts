/** Signed images: four properties that name a signature over the data and the certificate to check it with. */
import { createVerify, constants, type KeyObject, type Verify, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { badRequest, type Fault } from '../../../kernel/fault.ts';
import { isUuid } from '../../../kernel/ids.ts';
import type { ImageDeps } from '../deps.ts';
import type { ImageRow } from '../store/tables.ts';

const PROPERTIES = ['img_signature', 'img_signature_hash_method', 'img_signature_key_type', 'img_signature_certificate_uuid'] as const;
const HASHES: Record<string, string> = { 'SHA-224': 'sha224', 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' };
const KEY_TYPES: Record<string, string> = {
  'RSA-PSS': 'rsa', DSA: 'dsa', ECC_SECT571K1: 'ec', ECC_SECT409K1: 'ec', ECC_SECT571R1: 'ec', ECC_SECT409R1: 'ec', ECC_SECP521R1: 'ec', ECC_SECP384R1: 'ec',
};

export interface SignatureCheck {
  /** Faults: 400 when these bytes are not what was signed. */
  verify(data: AsyncIterable<Buffer>): Promise<void>;
}

/**
 * Undefined for an image that is not signed: only all four properties together make a signature, as in glance.
 * Faults: 400 when it could not be checked whatever the data are, so before any is read.
 */
export async function signatureOf(deps: Pick<ImageDeps, 'config' | 'clock'>, row: ImageRow): Promise<SignatureCheck | undefined> {
  const properties = JSON.parse(row.properties) as Record<string, string>;
  const [signature, method, type, certificate] = PROPERTIES.map((name) => properties[name]);
  if (signature === undefined || method === undefined || type === undefined || certificate === undefined) return undefined;
  const hash = HASHES[method];
  if (hash === undefined) throw refused(row, `${method} is no hash method: ${Object.keys(HASHES).join(', ')}`);
  if (KEY_TYPES[type] === undefined) throw refused(row, `${type} is no key type: ${Object.keys(KEY_TYPES).join(', ')}`);
  const key = await publicKey(deps, row, certificate);
  if (key.asymmetricKeyType !== KEY_TYPES[type]) throw refused(row, `the certificate ${certificate} holds no key of type ${type}`);
  return {
    async verify(data) {
      const verifier = createVerify(hash);
      for await (const chunk of data) verifier.update(chunk);
      if (!isSigned(verifier, key, signature)) throw refused(row, 'the data are not what was signed');
    },
  };
}

function isSigned(verifier: Verify, key: KeyObject, signature: string): boolean {
  const pss = key.asymmetricKeyType === 'rsa' ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO } : {};
  try {
    return verifier.verify({ key, ...pss }, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}

async function publicKey({ config, clock }: Pick<ImageDeps, 'config' | 'clock'>, row: ImageRow, id: string): Promise<KeyObject> {
  const pem = config.certificates_dir === '' || !isUuid(id) ? undefined : await readFile(join(config.certificates_dir, `${id.toLowerCase()}.pem`)).catch(() => undefined);
  if (pem === undefined) throw refused(row, `unable to retrieve the certificate with ID ${id.slice(0, 100)}`);
  const certificate = readCertificate(pem);
  if (!certificate) throw refused(row, `the certificate ${id} is damaged`);
  const now = clock.now();
  if (now < new Date(certificate.validFrom) || now > new Date(certificate.validTo)) throw refused(row, `the certificate ${id} is not valid at this time`);
  return certificate.publicKey;
}

function readCertificate(pem: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

const refused = (row: ImageRow, why: string): Fault => badRequest('image.signature', `Signature verification failed for image ${row.id}: ${why}.`);
