/** Why something failed, in words for users. */
import { isoMicros } from '../../../kernel/clock.ts';
import { uuid } from '../../../kernel/ids.ts';
import type { TaskDeps } from '../deps.ts';
import { messages, type Reader } from '../store/rows.ts';

/** Cinder's numbers: action and detail. */
const EVENTS = {
  schedule: { id: '001_002', text: 'schedule allocate volume:Could not find any available weighted backend.' },
  create: { id: '013_001', text: 'create volume:An unknown error occurred.' },
  extend: { id: '009_001', text: 'extend volume:An unknown error occurred.' },
  upload: { id: '004_001', text: 'copy volume to image:An unknown error occurred.' },
  delete: { id: '021_001', text: 'delete volume:An unknown error occurred.' },
  snapshot: { id: '006_001', text: 'create snapshot:An unknown error occurred.' },
  snapshot_delete: { id: '010_001', text: 'delete snapshot:An unknown error occurred.' },
  backup: { id: '013_001', text: 'create backup:An unknown error occurred.' },
  restore: { id: '015_001', text: 'restore backup:An unknown error occurred.' },
} as const;

export type MessageEvent = keyof typeof EVENTS;

export interface Subject {
  project_id: string;
  resource_type: 'VOLUME' | 'VOLUME_SNAPSHOT' | 'VOLUME_BACKUP';
  resource_uuid: string;
}

/** @param why what users may know beyond the event */
export async function tellUser(tx: Reader, deps: Pick<TaskDeps, 'clock' | 'config'>, request_id: string, event: MessageEvent, subject: Subject, why: string | undefined): Promise<void> {
  const now = deps.clock.now();
  const { id, text } = EVENTS[event];
  await messages.insert(tx, {
    id: uuid(), ...subject, request_id, event_id: `VOLUME_${subject.resource_type}_${id}`, message_level: 'ERROR',
    user_message: why === undefined ? text : `${text.split(':')[0] ?? ''}:${why}`,
    created_at: isoMicros(now), guaranteed_until: isoMicros(new Date(now.getTime() + deps.config.message_ttl * 1000)),
  });
}
