import { describe, expect, it } from '@jest/globals';
import { watchEvents } from './watch-lines.js';

async function* pieces(...parts: (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield Buffer.from(part);
}

async function read(chunks: AsyncIterable<Buffer>, longest = 1000): Promise<string[][]> {
  const groups: string[][] = [];
  for await (const events of watchEvents(chunks, longest, 'watch pods')) {
    groups.push(events.map(({ type, object }) => `${type} ${JSON.stringify(object)}`));
  }
  return groups;
}

const line = (name: string): string => `{"type":"ADDED","object":{"name":"${name}"}}\n`;

describe('watchEvents', () => {
  it('gives together what came together', async () => {
    expect(await read(pieces(line('a') + line('b'), line('c')))).toEqual([
      ['ADDED {"name":"a"}', 'ADDED {"name":"b"}'],
      ['ADDED {"name":"c"}'],
    ]);
  });

  it('puts together what was cut anywhere, also within a character', async () => {
    const bytes = Buffer.from(line('Zürich 🚢'));
    for (let at = 0; at <= bytes.length; at++) {
      expect(await read(pieces(bytes.subarray(0, at), bytes.subarray(at)))).toEqual([['ADDED {"name":"Zürich 🚢"}']]);
    }
  });

  it.each([
    { text: 'no json\n', code: 'KUBERNETES_UNEXPECTED_ANSWER', reason: 'no JSON' },
    { text: '[]\n', code: 'KUBERNETES_UNEXPECTED_ANSWER', reason: 'no event' },
    { text: '{"type":"ADDED"}\n', code: 'KUBERNETES_UNEXPECTED_ANSWER', reason: 'an event about nothing' },
    {
      text: `{"type":"ADDED","object":{"x":"${'x'.repeat(2000)}`,
      code: 'KUBERNETES_UNEXPECTED_ANSWER',
      reason: 'too long',
    },
    { text: '{"type":"ADD', code: 'KUBERNETES_UNAVAILABLE', reason: 'cut off' },
  ])('refuses a line that is $reason', async ({ text, code }) => {
    await expect(read(pieces(text))).rejects.toMatchObject({ code });
  });

  it('does not mind empty lines', async () => {
    expect(await read(pieces('\n', line('a'), '\n'))).toEqual([['ADDED {"name":"a"}']]);
  });
});
