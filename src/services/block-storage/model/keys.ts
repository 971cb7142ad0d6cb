/** Keys of encrypted volumes: none is kept, each follows from the cloud's own secret. */
import { hkdfSync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** @param file the secret, made when it is not there; whoever loses it loses all encrypted volumes */
export function keyMaker(file: string): (encryption_key_id: string, bits: number) => string {
  let secret: Buffer | undefined;
  return (encryption_key_id, bits) => {
    secret ??= readOrMake(file);
    return Buffer.from(hkdfSync('sha256', secret, encryption_key_id, 'gantry volume', Math.ceil(bits / 8))).toString('hex');
  };
}

function readOrMake(file: string): Buffer {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, randomBytes(32), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return readFileSync(file);
}
