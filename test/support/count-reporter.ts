/** Writes `passed failed skipped` of one run of node's test runner: leaf tests only. */
interface Event {
  type: string;
  data: { skip?: unknown; todo?: unknown; details?: { type?: string } };
}

export default async function* count(source: AsyncIterable<Event>): AsyncGenerator<string> {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for await (const { type, data } of source) {
    if (data.details?.type === 'suite') continue;
    if (type === 'test:fail') failed++;
    else if (type === 'test:pass' && data.skip === undefined && data.todo === undefined) passed++;
    else if (type === 'test:pass') skipped++;
  }
  yield JSON.stringify({ passed, failed, skipped });
}
