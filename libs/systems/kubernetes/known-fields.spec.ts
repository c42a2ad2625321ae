import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { withoutFields } from './known-fields.js';

describe('withoutFields', () => {
  it.each<{ document: JsonObject; paths: string[]; left: JsonObject; reason: string }>([
    {
      document: { spec: { replica: 3, replicas: 2 } },
      paths: ['.spec.replica'],
      left: { spec: { replicas: 2 } },
      reason: 'the field of the recording, and no other that begins alike',
    },
    { document: { spec: {}, data: {} }, paths: ['.spec'], left: { data: {} }, reason: 'a field of the whole' },
    {
      document: { spec: { a: 1, b: 2, c: 3 } },
      paths: ['.spec.a', '.spec.c'],
      left: { spec: { b: 2 } },
      reason: 'several at once',
    },
    {
      document: {
        containers: [
          { name: 'a', imag: 'x' },
          { name: 'b', imag: 'y' },
        ],
      },
      paths: ['.containers[name="b"].imag'],
      left: { containers: [{ name: 'a', imag: 'x' }, { name: 'b' }] },
      reason: 'in the item of a list that has this key',
    },
    {
      document: {
        ports: [
          { port: 80, protocol: 'UDP', prot: 1 },
          { port: 80, prot: 2 },
        ],
      },
      paths: ['.ports[port=80,protocol="TCP"].prot'],
      left: { ports: [{ port: 80, protocol: 'UDP', prot: 1 }, { port: 80 }] },
      reason: 'a key of the item is the default of the server',
    },
    {
      document: { mounts: [{ name: 'a]"b', x: 1 }] },
      paths: ['.mounts[name="a]\\"b"].x'],
      left: { mounts: [{ name: 'a]"b' }] },
      reason: 'a key with quotes and brackets',
    },
    {
      document: { rules: [{ host: 'a' }, { hots: 'b' }] },
      paths: ['.rules[1].hots'],
      left: { rules: [{ host: 'a' }, {}] },
      reason: 'in the item at this place',
    },
    {
      document: { spec: { 'example.org/a.b': { c: 1 }, example: { d: 2 } } },
      paths: ['.spec.example.org/a.b.c'],
      left: { spec: { 'example.org/a.b': {}, example: { d: 2 } } },
      reason: 'names may hold dots',
    },
    {
      document: { spec: { a: 1 }, list: [1] },
      paths: ['.spec.b', '.spec.a.b', '.list[="x"].a', '.list[3].a', '.list', ''],
      left: { spec: { a: 1 } },
      reason: 'what leads nowhere changes nothing',
    },
  ])('$reason', ({ document, paths, left }) => {
    const before = structuredClone(document);
    expect(withoutFields(document, paths)).toEqual(left);
    expect(document).toEqual(before);
  });
});
