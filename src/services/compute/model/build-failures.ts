/** Nodes that could not start a server lately: others come first until they can again. Known to this process alone, as in nova. */
export interface BuildFailures {
  failed(node_id: string): void;
  succeeded(node_id: string): void;
  of(node_id: string): number;
}

export function createBuildFailures(): BuildFailures {
  const counts = new Map<string, number>();
  return {
    failed: (node_id) => void counts.set(node_id, (counts.get(node_id) ?? 0) + 1),
    succeeded: (node_id) => void counts.delete(node_id),
    of: (node_id) => counts.get(node_id) ?? 0,
  };
}
