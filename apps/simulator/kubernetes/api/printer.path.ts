import type { Json } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';

type Step =
  | { type: 'member'; name: string }
  | { type: 'index'; index: number }
  | { type: 'all' }
  | { type: 'filter'; path: readonly Step[]; operator: '==' | '!='; value: string };

const MEMBER = /^\.((?:\\.|[^.[\]\\])+)/;
const INDEX = /^\[(-?\d+)\]/;
const QUOTED = /^\[['"]([^'"]*)['"]\]/;
const FILTER = /^\[\?\(@((?:[^=!)])+)(==|!=)\s*(?:"([^"]*)"|'([^']*)'|([^)\s]*))\s*\)\]/;

const parsed = new Map<string, readonly Step[]>();

/** All values at a JSON path as printer columns use it: members, indexes, `[*]` and filters by equality. */
export function valuesAt(path: string, object: Json): Json[] {
  let steps = parsed.get(path);
  if (steps === undefined) {
    steps = parse(path);
    parsed.set(path, steps);
  }
  return walk(steps, object);
}

function parse(path: string): Step[] {
  const steps: Step[] = [];
  let rest = path
    .trim()
    .replace(/^\{(.*)\}$/, '$1')
    .replace(/^\$/, '');
  if (!rest.startsWith('.') && !rest.startsWith('[')) rest = `.${rest}`;
  while (rest !== '') {
    const member = MEMBER.exec(rest);
    const index = INDEX.exec(rest);
    const quoted = QUOTED.exec(rest);
    const filter = FILTER.exec(rest);
    let length: number;
    if (member !== null) {
      const name = member[1]!.replaceAll(/\\(.)/g, '$1');
      steps.push(name === '*' ? { type: 'all' } : { type: 'member', name });
      length = member[0].length;
    } else if (index !== null) {
      steps.push({ type: 'index', index: Number(index[1]) });
      length = index[0].length;
    } else if (quoted !== null) {
      steps.push({ type: 'member', name: quoted[1]! });
      length = quoted[0].length;
    } else if (rest.startsWith('[*]')) {
      steps.push({ type: 'all' });
      length = '[*]'.length;
    } else if (filter !== null) {
      const value = filter[3] ?? filter[4] ?? filter[5] ?? '';
      steps.push({ type: 'filter', path: parse(filter[1]!.trim()), operator: filter[2] as '==' | '!=', value });
      length = filter[0].length;
    } else return [{ type: 'member', name: path }];
    rest = rest.slice(length);
  }
  return steps;
}

function walk(steps: readonly Step[], object: Json): Json[] {
  let values: Json[] = [object];
  for (const step of steps) values = values.flatMap((value) => take(step, value));
  return values;
}

function take(step: Step, value: Json): Json[] {
  switch (step.type) {
    case 'member': {
      const member = isJsonObject(value) && Object.hasOwn(value, step.name) ? value[step.name] : undefined;
      return member === undefined ? [] : [member];
    }
    case 'index': {
      const item = Array.isArray(value) ? value.at(step.index) : undefined;
      return item === undefined ? [] : [item];
    }
    case 'all':
      return Array.isArray(value) ? value : isJsonObject(value) ? Object.values(value) : [];
    case 'filter':
      return (Array.isArray(value) ? value : []).filter((item) => {
        const found = walk(step.path, item).map(String);
        return step.operator === '==' ? found.includes(step.value) : found.length > 0 && !found.includes(step.value);
      });
  }
}
