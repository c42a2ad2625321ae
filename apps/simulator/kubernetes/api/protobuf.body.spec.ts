import { describe, expect, it } from '@jest/globals';
import { parseProtobuf } from './protobuf.body.js';

/** A field of bytes. */
function field(number: number, ...parts: (Buffer | string)[]): Buffer {
  const value = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : part)));
  return Buffer.concat([varint(BigInt((number << 3) | 2)), varint(BigInt(value.length)), value]);
}

function number(fieldNumber: number, value: number): Buffer {
  return Buffer.concat([varint(BigInt(fieldNumber << 3)), varint(BigInt.asUintN(64, BigInt(value)))]);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

function body(apiVersion: string, kind: string, ...fields: Buffer[]): Buffer {
  const type = field(1, field(1, apiVersion), field(2, kind));
  return Buffer.concat([Buffer.from('k8s\0'), type, field(2, ...fields), field(3), field(4)]);
}

describe('a protobuf body', () => {
  it('of kubectl create namespace is read without what Go leaves out of JSON', () => {
    // As captured from kubectl 1.32.
    const metadata = field(1, field(1, 'x'), field(2), field(3), field(4), field(5), field(6), number(7, 0), field(8));
    expect(parseProtobuf(body('v1', 'Namespace', metadata, field(2), field(3, field(1))))).toEqual({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'x' },
    });
  });

  it('holds maps, lists, bytes and numbers', () => {
    const labels = [field(11, field(1, 'a'), field(2, 'b')), field(11, field(1, 'c'), field(2))];
    const secret = body(
      'v1',
      'Secret',
      field(1, ...labels, field(14, 'f1'), field(14, 'f2')),
      field(2, field(1, 'k'), field(2, Buffer.from([0, 255]))),
    );
    expect(parseProtobuf(secret)).toMatchObject({
      metadata: { labels: { a: 'b', c: '' }, finalizers: ['f1', 'f2'] },
      data: { k: 'AP8=' },
    });
    const scaled = body('apps/v1', 'Deployment', field(2, number(1, 0), number(5, 0), number(6, -1)));
    expect(parseProtobuf(scaled)).toMatchObject({ spec: { replicas: 0, revisionHistoryLimit: -1 } });
  });

  it('holds numbers or text where either may stand', () => {
    const ports = [number(2, 8080), field(3, 'http')];
    const port = (target: Buffer): Buffer => field(1, number(3, 80), field(4, target));
    const service = body(
      'v1',
      'Service',
      field(2, port(Buffer.concat([number(1, 0), ports[0]!])), port(Buffer.concat([number(1, 1), ports[1]!]))),
    );
    expect(parseProtobuf(service)).toMatchObject({
      spec: {
        ports: [
          { port: 80, targetPort: 8080 },
          { port: 80, targetPort: 'http' },
        ],
      },
    });
  });

  it('with a field that is not known is left to others, unless it is empty', () => {
    const pod = (...fields: Buffer[]): Buffer => body('apps/v1', 'Deployment', field(2, field(3, field(2, ...fields))));
    expect(parseProtobuf(pod(field(2, field(1, 'c')), field(98), number(99, 0)))).toMatchObject({
      spec: { template: { spec: { containers: [{ name: 'c' }] } } },
    });
    expect(parseProtobuf(pod(field(98, 'new')))).toBeUndefined();
    expect(parseProtobuf(pod(number(99, 1)))).toBeUndefined();
  });

  it('of a kind that is not known is left to others', () => {
    expect(parseProtobuf(body('example/v1', 'Strange'))).toBeUndefined();
  });

  it.each([
    { bytes: Buffer.from('{"kind":"Namespace"}'), reason: 'no protobuf at all' },
    { bytes: body('v1', 'Namespace').subarray(0, 10), reason: 'cut off' },
    { bytes: body('v1', 'Namespace', Buffer.from([0x0d, 0, 0, 0, 0])), reason: 'a fixed number' },
    { bytes: body('v1', 'Namespace', number(1, 3)), reason: 'a number in place of the metadata' },
  ])('is refused: $reason', ({ bytes }) => {
    expect(parseProtobuf(bytes)).toBeUndefined();
  });
});
