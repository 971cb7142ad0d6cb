import { isActive } from './store.ts';
import type { Tasks } from './tasks.ts';

/** Work that holds these resources was cancelled by whoever takes its place: here it is waited for. */
export async function otherWorkEnds(tasks: Pick<Tasks, 'listOf' | 'whenSettled'>, ...resources: string[]): Promise<void> {
  for (const resource of resources) {
    const [other] = await tasks.listOf(resource, 1);
    if (other !== undefined && isActive(other.state)) await tasks.whenSettled(other.id);
  }
}
