import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';

/**
 * One step of a path as `fieldsV1` writes it: `f:<name>` a member, `k:<json>` an item of an associative list by its keys,
 * `v:<json>` an item of a set by its value, `i:<index>` an item by its place.
 */
export type PathElement = `${'f' | 'k' | 'v' | 'i'}:${string}`;

/** A set of paths. Operations make new sets; only `insert` changes one, while it is being made. */
export class FieldSet {
  readonly #members = new Set<PathElement>();
  readonly #children = new Map<PathElement, FieldSet>();

  static of(...paths: PathElement[][]): FieldSet {
    const set = new FieldSet();
    for (const path of paths) set.insert(path);
    return set;
  }

  /** @returns undefined for what is not `fieldsV1`. */
  static parse(fields: Json | undefined): FieldSet | undefined {
    if (!isJsonObject(fields)) return undefined;
    const set = new FieldSet();
    for (const [element, inner] of Object.entries(fields)) {
      if (element === '.') continue;
      if (!isPathElement(element)) return undefined;
      const child = FieldSet.parse(inner);
      if (child === undefined) return undefined;
      if (Object.hasOwn(inner as JsonObject, '.') || Object.keys(inner as JsonObject).length === 0)
        set.#members.add(element);
      if (!child.isEmpty) set.#children.set(element, child);
    }
    return set;
  }

  get isEmpty(): boolean {
    return this.#members.size === 0 && this.#children.size === 0;
  }

  insert(path: readonly PathElement[]): void {
    const [first, ...rest] = path;
    if (first === undefined) return;
    if (rest.length === 0) {
      this.#members.add(first);
      return;
    }
    const child = this.#children.get(first) ?? new FieldSet();
    child.insert(rest);
    this.#children.set(first, child);
  }

  has(element: PathElement): boolean {
    return this.#members.has(element);
  }

  /** What the set says below a member or item. */
  below(element: PathElement): FieldSet | undefined {
    return this.#children.get(element);
  }

  union(other: FieldSet): FieldSet {
    return this.#combine(
      other,
      () => true,
      (mine, theirs) => (mine === undefined ? theirs! : theirs === undefined ? mine : mine.union(theirs)),
    );
  }

  /** Without exactly the paths of the other set. */
  difference(other: FieldSet): FieldSet {
    return this.#combine(
      other,
      (mine, theirs) => mine && !theirs,
      (mine, theirs) => (mine === undefined || theirs === undefined ? (mine ?? EMPTY) : mine.difference(theirs)),
    );
  }

  intersection(other: FieldSet): FieldSet {
    return this.#combine(
      other,
      (mine, theirs) => mine && theirs,
      (mine, theirs) => (mine === undefined || theirs === undefined ? EMPTY : mine.intersection(theirs)),
    );
  }

  equals(other: FieldSet): boolean {
    return this.difference(other).isEmpty && other.difference(this).isEmpty;
  }

  /** Every path once, in the order in which they are written. */
  *paths(prefix: readonly PathElement[] = []): Generator<PathElement[]> {
    for (const element of this.elements()) {
      const path = [...prefix, element];
      if (this.#members.has(element)) yield path;
      yield* this.#children.get(element)?.paths(path) ?? [];
    }
  }

  /** The first steps of all paths. */
  elements(): PathElement[] {
    return [...new Set([...this.#members, ...this.#children.keys()])].sort();
  }

  toJson(): JsonObject {
    return Object.fromEntries(
      this.elements().map((element): [string, JsonObject] => {
        const child = this.#children.get(element);
        if (child === undefined) return [element, {}];
        return [element, this.#members.has(element) ? { '.': {}, ...child.toJson() } : child.toJson()];
      }),
    );
  }

  #combine(
    other: FieldSet,
    keep: (mine: boolean, theirs: boolean) => boolean,
    below: (mine: FieldSet | undefined, theirs: FieldSet | undefined) => FieldSet,
  ): FieldSet {
    const result = new FieldSet();
    for (const element of new Set([...this.#members, ...other.#members])) {
      if (keep(this.#members.has(element), other.#members.has(element))) result.#members.add(element);
    }
    for (const element of new Set([...this.#children.keys(), ...other.#children.keys()])) {
      const child = below(this.#children.get(element), other.#children.get(element));
      if (!child.isEmpty) result.#children.set(element, child);
    }
    return result;
  }
}

const EMPTY = new FieldSet();

function isPathElement(text: string): text is PathElement {
  return /^[fkvi]:/.test(text);
}

/** As conflicts name it: `.spec.template.spec.containers[name="web"].image`. */
export function formatPath(path: readonly PathElement[]): string {
  return path.map((element) => formatElement(element)).join('');
}

function formatElement(element: PathElement): string {
  const content = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${content}`;
    case 'k': {
      const keys = Object.entries(JSON.parse(content) as JsonObject);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${content}]`;
    default:
      return `[${content}]`;
  }
}
