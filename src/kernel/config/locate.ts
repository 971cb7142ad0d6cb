/** Line (1-based) of a section header or of a key in a section, as far as one can tell from the text. */
export function lineOf(toml: string, section: string, key?: string): number | undefined {
  let current = '';
  let header: number | undefined;
  const lines = toml.split('\n');
  for (const [index, line] of lines.entries()) {
    const table = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line);
    if (table !== null) {
      current = bare(table[1]!);
      if (current === section) header ??= index + 1;
      continue;
    }
    const assignment = /^\s*([\w.-]+|"[^"]*"|'[^']*')\s*=/.exec(line);
    if (assignment === null) continue;
    const name = bare(assignment[1]!);
    const path = current === '' ? name : `${current}.${name}`;
    if (key !== undefined ? path === `${section}.${key}` || path.startsWith(`${section}.${key}.`) : path === section || path.startsWith(`${section}.`)) {
      if (key !== undefined || header === undefined) return index + 1;
    }
  }
  return header;
}

function bare(name: string): string {
  return name.replaceAll(/["']/g, '').replaceAll(/\s*\.\s*/g, '.');
}
