/**
 * How large a schema grows when its local references are unfolded (JSON Schema 2020-12 §8.2.3). Recursion through a structure is honest
 * and counts once; what is counted is a schema that refers to two copies of the next, thirty times over. Bounded and iterative.
 */

const maximumSchemas = 20_000;

/** `count`: schemas after unfolding, at most 1e12. `empty`: references that lead back to themselves with nothing between. */
export function expansions(item: unknown): { count: number; empty: boolean } {
  const root = typeof item === "object" && item !== null ? (item as { inputSchema?: unknown }).inputSchema : undefined;
  const sizes = new Map<object, number>();
  const open = new Set<object>();
  let empty = false;
  let visited = 0;
  // Post-order by hand: a frame is entered once and closed when its children are known.
  const stack: { value: object; children: object[]; next: number; sum: number }[] = [];
  const enter = (value: object): void => {
    open.add(value);
    stack.push({ value, children: childrenOf(value, root), next: 0, sum: 1 });
  };
  if (typeof root !== "object" || root === null) return { count: 0, empty };
  enter(root);
  while (stack.length > 0 && visited < maximumSchemas) {
    const frame = stack[stack.length - 1] as (typeof stack)[number];
    const child = frame.children[frame.next];
    if (child === undefined) {
      stack.pop();
      open.delete(frame.value);
      sizes.set(frame.value, Math.min(1e12, frame.sum));
      const parent = stack[stack.length - 1];
      if (parent !== undefined) parent.sum += Math.min(1e12, frame.sum);
      continue;
    }
    frame.next += 1;
    visited += 1;
    const known = sizes.get(child);
    if (known !== undefined) frame.sum += known;
    else if (open.has(child)) {
      if (onlyReference(child) && onlyReference(frame.value)) empty = true;
    } else enter(child);
  }
  return { count: Math.min(1e12, sizes.get(root) ?? stack[0]?.sum ?? 0), empty };
}

function childrenOf(value: object, root: unknown): object[] {
  const children: object[] = [];
  let members = 0;
  for (const key in value) {
    if (!Object.hasOwn(value, key) || ++members > 5_000) continue;
    const child = (value as Record<string, unknown>)[key];
    if (key === "$ref" && typeof child === "string") {
      const target = resolve(child, root);
      if (target !== undefined) children.push(target);
    } else if (key !== "$defs" && key !== "definitions" && typeof child === "object" && child !== null) children.push(child);
  }
  return children;
}

function onlyReference(value: object): boolean {
  const reference = (value as { $ref?: unknown }).$ref;
  if (typeof reference !== "string") return false;
  for (const key in value) if (key !== "$ref" && key !== "$defs" && key !== "definitions" && key !== "description" && key !== "title") return false;
  return true;
}

function resolve(reference: string, root: unknown): object | undefined {
  if (reference === "#") return root as object;
  if (!reference.startsWith("#/") || reference.length > 500) return undefined;
  let at: unknown = root;
  for (const part of reference.slice(2).split("/", 40)) {
    if (typeof at !== "object" || at === null) return undefined;
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    at = Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined;
  }
  return typeof at === "object" && at !== null ? at : undefined;
}
