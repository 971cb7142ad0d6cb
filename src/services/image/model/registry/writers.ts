/** One process at a time writes to an upload, however many controllers share the folder that it lies in. */
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { isoMicros } from '../../../../kernel/clock.ts';
import { conflict } from '../../../../kernel/fault.ts';
import { uuid } from '../../../../kernel/ids.ts';
import type { TaskDeps } from '../../deps.ts';
import { claimUpload, findUpload, leaveUpload } from '../../store/registry/uploads.ts';

const LEASE_MS = 20_000;

export interface Writers {
  /**
   * Does the work while nobody else writes to the upload.
   * @param work its signal ends when another process has taken over, because this one seemed dead.
   * Faults: 409 busy. An upload that is gone is the work's to find out.
   */
  alone<T>(id: string, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

/** Where a process can be seen from: another machine or container cannot tell whether it lives. */
function placeOf(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return `${hostname()} ${uuid()}`;
  }
}

const busy = () => conflict('registry.upload-busy', 'Another request is writing to this upload.', { type: 'BLOB_UPLOAD_INVALID' });

export function createWriters({ db, clock, log }: Pick<TaskDeps, 'db' | 'clock' | 'log'>): Writers {
  const place = placeOf();
  const me = `${place} ${process.pid} ${uuid()}`;
  const here = new Set<string>();

  const isGone = (writer: string): boolean => {
    if (!writer.startsWith(`${place} `)) return false;
    const pid = Number(writer.slice(place.length + 1).split(' ', 1)[0]);
    return pid !== process.pid && !isAlive(pid);
  };
  const claim = (id: string, instead: string | null): Promise<boolean> => {
    const now = clock.now().getTime();
    return db.transaction((tx) => claimUpload(tx, id, { writer: me, writing_until: isoMicros(new Date(now + LEASE_MS)) }, { instead, now: isoMicros(new Date(now)) }));
  };

  async function enter(id: string): Promise<void> {
    const row = await findUpload(db.read, id);
    if (row === undefined || (await claim(id, row.writer !== null && isGone(row.writer) ? row.writer : null))) return;
    if ((await findUpload(db.read, id)) !== undefined) throw busy();
  }

  return {
    async alone(id, work) {
      if (here.has(id)) throw busy();
      here.add(id);
      const lost = new AbortController();
      let timer: NodeJS.Timeout | undefined;
      try {
        await enter(id);
        const renew = async (): Promise<void> => {
          if (!(await claim(id, me))) lost.abort(busy());
        };
        timer = setInterval(() => void renew().catch((error: unknown) => log.warn({ err: error, upload_id: id }, 'the writing of an upload could not be announced')), LEASE_MS / 4).unref();
        return await work(lost.signal);
      } finally {
        clearInterval(timer);
        here.delete(id);
        await db.transaction((tx) => leaveUpload(tx, id, me));
      }
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
