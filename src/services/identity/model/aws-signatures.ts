/**
 * Signatures of AWS, checked for services that were asked in its ways and hand on what was signed.
 * EC2: version 2, https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html, and version 4; S3: its first one, and version 4.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { percentEncode } from './percent-encode.ts';

type Texts = Readonly<Record<string, string>>;

/** The request that somebody signed, as a service of EC2 hands it on. */
export interface Ec2Request {
  signature: string;
  verb: string;
  /** With its port, if it had one. */
  host: string;
  path: string;
  params: Texts;
  headers: Texts;
  body_hash: string;
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text, 'utf8').digest();

export function isEc2Signed(request: Ec2Request, secret: string): boolean {
  // Some clients sign the name of the host without its port.
  const portless = request.host.replace(/:\d+$/, '');
  return [...new Set([request.host, portless])].some((host) => {
    const right = signatureOf({ ...request, host }, secret);
    return right !== undefined && isSame(right, request.signature);
  });
}

function isSame(right: string, given: string): boolean {
  const [a, b] = [Buffer.from(right), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function signatureOf(request: Ec2Request, secret: string): string | undefined {
  const lower = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name.toLowerCase().trim(), value.trim()]));
  const byHeader = lower['authorization']?.startsWith('AWS4-HMAC-SHA256') === true;
  if (request.params['SignatureVersion'] === '2') return version2(request, secret);
  if (request.params['SignatureVersion'] !== undefined) return undefined;
  return byHeader || request.params['X-Amz-Algorithm'] === 'AWS4-HMAC-SHA256' ? version4(request, lower, secret) : undefined;
}

const compare = ([a]: readonly [string, string], [b]: readonly [string, string]): number => (a < b ? -1 : a > b ? 1 : 0);

function canonicalQuery(params: Texts): string {
  return Object.entries(params).toSorted(compare).map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`).join('&');
}

function version2({ verb, host, path, params }: Ec2Request, secret: string): string {
  const query = canonicalQuery({ ...params, SignatureMethod: 'HmacSHA256' });
  return hmac(secret, [verb, host, path, query].join('\n')).toString('base64');
}

function version4(request: Ec2Request, headers: Texts, secret: string): string | undefined {
  const authorization = headers['authorization'];
  const field = (name: string): string => (authorization === undefined ? request.params[`X-Amz-${name}`] : authorization.split(`${name}=`, 2)[1]?.split(',', 1)[0]) ?? '';
  const date = headers['x-amz-date'] ?? request.params['X-Amz-Date'] ?? '';
  const [, day = '', region = '', service = '', ...rest] = field('Credential').split('/');
  if (day === '' || !date.startsWith(day)) return undefined;
  const names = field('SignedHeaders');
  const signed = names.split(';').filter((name) => headers[name] !== undefined).map((name) => `${name}:${headers[name]}\n`).join('');
  const query = request.verb.toUpperCase() === 'POST' ? '' : canonicalQuery(request.params);
  const canonical = [request.verb.toUpperCase(), request.path, query, signed, names, request.body_hash].join('\n');
  const scope = [day, region, service, ...rest].join('/');
  const text = ['AWS4-HMAC-SHA256', date, scope, createHash('sha256').update(canonical, 'utf8').digest('hex')].join('\n');
  return sign4(text, [day, region, service], secret);
}

function sign4(text: string, scope: readonly string[], secret: string): string {
  const key = [...scope, 'aws4_request'].reduce<Buffer>((before, part) => hmac(before, part), Buffer.from(`AWS4${secret}`, 'utf8'));
  return hmac(key, text).toString('hex');
}

const S3_SERVICES = ['s3', 'iam', 'sts'];

/** @param text what was signed, as the service that was asked put it together */
export function isS3Signed(text: string, signature: string, secret: string): boolean {
  if (!text.startsWith('AWS4')) return isSame(createHmac('sha1', secret).update(text, 'latin1').digest('base64'), signature);
  const [algorithm, , place = '', hash, ...more] = text.split('\n');
  const [day = '', region = '', service = '', end, ...rest] = place.split('/');
  if (algorithm !== 'AWS4-HMAC-SHA256' || hash === undefined || more.length > 0 || end !== 'aws4_request' || rest.length > 0 || !S3_SERVICES.includes(service)) return false;
  return isSame(sign4(text, [day, region, service], secret), signature);
}
