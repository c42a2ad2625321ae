import { describe, expect, it } from '@jest/globals';
import { LARGEST_MANIFEST, MOST_DOCUMENTS, parseManifest, type ManifestEntry } from './manifest.parser.js';

function configMap(name: string, rest = ''): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n${rest}`;
}

function codesOf(entry: ManifestEntry | undefined): string[] {
  return entry?.verdict === 'faulty' ? entry.problems.map((problem) => problem.code) : [];
}

function pathsOf(entry: ManifestEntry | undefined): string[] {
  return entry?.verdict === 'faulty' ? entry.problems.map((problem) => problem.path) : [];
}

function namesIn(text: string): (string | null)[] {
  return parseManifest(text).entries.map((entry) => entry.name);
}

function dataOf(text: string): unknown {
  const [entry] = parseManifest(`${configMap('c')}data:\n${text.replace(/^/gm, '  ')}\n`).entries;
  return entry?.verdict === 'sound' ? entry.object.data : codesOf(entry);
}

describe('the parser of manifests: what is a document', () => {
  it.each([
    { text: configMap('a'), names: ['a'], reason: 'one document' },
    { text: `${configMap('a')}---\n${configMap('b')}`, names: ['a', 'b'], reason: 'two documents' },
    { text: `---\n${configMap('a')}---\n`, names: ['a'], reason: 'empty documents are none' },
    { text: `# said\n---\n# more\n${configMap('a')}`, names: ['a'], reason: 'comments are none' },
    { text: `%YAML 1.1\n---\n${configMap('a')}...\n`, names: ['a'], reason: 'directives and ends are none' },
    { text: configMap('a').replaceAll('\n', '\r\n'), names: ['a'], reason: 'lines as Windows ends them' },
    { text: `\uFEFF${configMap('a')}`, names: ['a'], reason: 'a byte order mark' },
    {
      text: '{\n\t"apiVersion": "v1",\n\t"kind": "ConfigMap", "metadata": {"name": "a"}}',
      names: ['a'],
      reason: 'JSON with tabs',
    },
    {
      text: '[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}},{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}]',
      names: ['a', 'b'],
      reason: 'a JSON array',
    },
    {
      text: `apiVersion: v1\nkind: List\nitems:\n- ${configMap('a').trim().replaceAll('\n', '\n  ')}\n- ${configMap('b').trim().replaceAll('\n', '\n  ')}`,
      names: ['a', 'b'],
      reason: 'a List',
    },
    {
      text: `${configMap('a', 'data: {text: "--- no end"}\n')}---\n${configMap('b', 'data:\n  text: |\n    ---\n    x\n')}`,
      names: ['a', 'b'],
      reason: 'hyphens inside values end nothing',
    },
  ])('$reason', ({ text, names }) => {
    expect(namesIn(text)).toEqual(names);
  });

  it.each([
    { text: '', code: 'MANIFEST_EMPTY', reason: 'nothing at all' },
    { text: '---\n# nothing\n---\n', code: 'MANIFEST_EMPTY', reason: 'nothing but comments' },
    { text: '{"apiVersion": "v1", "kind": "List", "items": []}', code: 'MANIFEST_EMPTY', reason: 'a list of nothing' },
    { text: `# ${'x'.repeat(LARGEST_MANIFEST)}`, code: 'MANIFEST_TOO_LARGE', reason: 'more than a mebibyte' },
    {
      text: `# ${'ü'.repeat(LARGEST_MANIFEST / 2)}`,
      code: 'MANIFEST_TOO_LARGE',
      reason: 'bytes count, not characters',
    },
    {
      text: Array.from({ length: MOST_DOCUMENTS + 1 }, (_, at) => configMap(`c${at}`)).join('---\n'),
      code: 'TOO_MANY_DOCUMENTS',
      reason: 'one document too many',
    },
  ])('$code: $reason', ({ text, code }) => {
    const { entries, problems } = parseManifest(text);
    expect(entries).toEqual([]);
    expect(problems).toMatchObject([{ index: null, code, path: '' }]);
  });

  it('takes as many documents as are allowed', () => {
    const text = Array.from({ length: MOST_DOCUMENTS }, (_, at) => configMap(`c${at}`)).join('---\n');
    expect(parseManifest(text).entries).toHaveLength(MOST_DOCUMENTS);
  });
});

describe('the parser of manifests: what is wrong with a document', () => {
  it.each([
    { text: 'a: [1\nb: 2', code: 'MALFORMED_DOCUMENT', path: '', reason: 'a bracket stays open' },
    { text: '{"a": }}', code: 'MALFORMED_DOCUMENT', path: '', reason: 'JSON that is none' },
    { text: 'a: 1\na: 2', code: 'MALFORMED_DOCUMENT', path: '', reason: 'a field occurs twice' },
    { text: 'a: !!js/function x', code: 'MALFORMED_DOCUMENT', path: '', reason: 'a tag that nobody knows' },
    { text: '['.repeat(200) + ']'.repeat(200), code: 'DOCUMENT_TOO_COMPLEX', path: '', reason: 'nested without end' },
    { text: 'a: &a [*a]', code: 'DOCUMENT_TOO_COMPLEX', path: '', reason: 'a list that contains itself' },
    { text: 'just a text', code: 'NOT_AN_OBJECT', path: '', reason: 'a text is no object' },
    { text: 'a: .nan', code: 'UNSUPPORTED_VALUE', path: '', reason: 'JSON has no NaN' },
    { text: 'a: 9223372036854775807', code: 'UNSUPPORTED_VALUE', path: '', reason: 'digits would be lost' },
    {
      text: 'kind: ConfigMap\nmetadata: {name: a}',
      code: 'API_VERSION_INVALID',
      path: '.apiVersion',
      reason: 'no apiVersion',
    },
    {
      text: 'apiVersion: a/b/c\nkind: ConfigMap\nmetadata: {name: a}',
      code: 'API_VERSION_INVALID',
      path: '.apiVersion',
      reason: 'two slashes',
    },
    { text: 'apiVersion: v1\nmetadata: {name: a}', code: 'KIND_INVALID', path: '.kind', reason: 'no kind' },
    {
      text: 'apiVersion: v1\nkind: configmap\nmetadata: {name: a}',
      code: 'KIND_INVALID',
      path: '.kind',
      reason: 'kinds begin with a capital',
    },
    { text: 'apiVersion: v1\nkind: ConfigMap', code: 'NAME_MISSING', path: '.metadata.name', reason: 'no metadata' },
    {
      text: 'apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}',
      code: 'NAME_GENERATED',
      path: '.metadata.generateName',
      reason: 'nothing to apply to',
    },
    { text: configMap('123'), code: 'NAME_INVALID', path: '.metadata.name', reason: 'a number is no name' },
    { text: configMap('Upper_case'), code: 'NAME_INVALID', path: '.metadata.name', reason: 'capitals' },
    { text: configMap('a..b'), code: 'NAME_INVALID', path: '.metadata.name', reason: 'an empty part' },
    {
      text: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a.b}',
      code: 'NAME_INVALID',
      path: '.metadata.name',
      reason: 'namespaces have no dots',
    },
    {
      text: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: B}',
      code: 'NAMESPACE_INVALID',
      path: '.metadata.namespace',
      reason: 'capitals in the namespace',
    },
    {
      text: 'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: a/b}',
      code: 'NAME_INVALID',
      path: '.metadata.name',
      reason: 'even a role cannot have a slash',
    },
  ])('$code: $reason', ({ text, code, path }) => {
    const [entry] = parseManifest(text).entries;
    expect(codesOf(entry)).toEqual([code]);
    expect(pathsOf(entry)).toEqual([`documents[0]${path}`]);
  });

  it.each([
    {
      text: 'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: "system:node"}',
      reason: 'roles may have colons',
    },
    {
      text: 'apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: Some_Thing}',
      reason: 'nobody here knows the rules of other groups',
    },
    { text: configMap('a.b-c'), reason: 'dots are allowed in most names' },
  ])('takes the name: $reason', ({ text }) => {
    expect(parseManifest(text).entries).toMatchObject([{ verdict: 'sound' }]);
  });

  it('says everything that is wrong, of each document, and where', () => {
    const text = `${configMap('a')}---\nb: [\n---\nkind: ConfigMap\nmetadata: {namespace: Q}\n---\n${configMap('d')}`;
    const { entries } = parseManifest(text);
    expect(entries.map(({ line, verdict }) => [line, verdict])).toEqual([
      [1, 'sound'],
      [5, 'faulty'],
      [7, 'faulty'],
      [10, 'sound'],
    ]);
    expect(codesOf(entries[1])).toEqual(['MALFORMED_DOCUMENT']);
    expect(codesOf(entries[2])).toEqual(['API_VERSION_INVALID', 'NAME_MISSING', 'NAMESPACE_INVALID']);
    expect(pathsOf(entries[2])[1]).toBe('documents[2].metadata.name');
  });

  it('says the line of the manifest at which a document cannot be read', () => {
    const [, entry] = parseManifest(`${configMap('a')}---\n# said\nok: 1\nbad: x: y\n`).entries;
    expect(entry).toMatchObject({ verdict: 'faulty', problems: [{ line: 7 }] });
  });

  it('repeats nothing of a document that it cannot read', () => {
    const [entry] = parseManifest('password: "hunter2\nx: [').entries;
    expect(JSON.stringify(entry)).not.toContain('hunter2');
  });

  it('stops a document that grows without bounds where its aliases are put in', () => {
    const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let at = 1; at < 9; at++)
      bomb.push(
        `a${at}: &a${at} [${Array(10)
          .fill(`*a${at - 1}`)
          .join(', ')}]`,
      );
    expect(codesOf(parseManifest(bomb.join('\n')).entries[0])).toEqual(['DOCUMENT_TOO_COMPLEX']);
    const long = `t: &t ${'x'.repeat(500_000)}\nl: [${Array(20).fill('*t').join(', ')}]`;
    expect(codesOf(parseManifest(long).entries[0])).toEqual(['DOCUMENT_TOO_COMPLEX']);
  });
});

describe('the parser of manifests: the same object twice', () => {
  const other = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: other}\n';
  it.each([
    { texts: [configMap('a'), configMap('a')], faulty: [1], reason: 'the same' },
    { texts: [configMap('a'), other], faulty: [], reason: 'another namespace' },
    { texts: [configMap('a'), other], namespace: 'other', faulty: [1], reason: 'the default namespace is that one' },
    {
      texts: [
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n',
        'apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a}\n',
      ],
      faulty: [1],
      reason: 'another version is the same object',
    },
    {
      texts: [configMap('a'), 'apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n'],
      faulty: [],
      reason: 'another kind',
    },
  ])('$reason', ({ texts, namespace, faulty }) => {
    const { entries } = parseManifest(texts.join('---\n'), namespace);
    const found = entries.filter((entry) => codesOf(entry).includes('DUPLICATE_DOCUMENT'));
    expect(found.map(({ index }) => index)).toEqual(faulty);
  });
});

describe('the parser of manifests: secrets', () => {
  const secret = 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n';
  it.each([
    { text: `${secret}data: {a: aHVudGVyMg==}`, refused: true, reason: 'values' },
    { text: `${secret}stringData: {a: hunter2}`, refused: true, reason: 'values as text' },
    {
      text: `${secret}  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"data":{"a":"hunter2"}}'}`,
      refused: true,
      reason: 'what kubectl keeps of the values',
    },
    { text: `${secret}type: Opaque`, refused: false, reason: 'no values' },
    { text: `${secret}data: {}`, refused: false, reason: 'no values in it' },
    { text: `${secret}data: {a: hunter2`, refused: true, reason: 'unreadable, but by its looks one' },
    { text: `${configMap('c')}data: {a: b}`, refused: false, reason: 'no Secret' },
    {
      text: `kind: List\napiVersion: v1\nitems:\n- kind: Secret\n  apiVersion: v1\n  metadata: {name: s}\n  data: {a: aHVudGVyMg==}`,
      refused: true,
      reason: 'inside a list',
    },
  ])('refused $refused: $reason', ({ text, refused }) => {
    const [entry] = parseManifest(text).entries;
    expect(codesOf(entry).includes('SECRET_IN_MANIFEST')).toBe(refused);
    const told = entry?.verdict === 'faulty' ? JSON.stringify(entry) : '';
    expect(told).not.toMatch(/hunter2|aHVudGVyMg/);
  });
});

describe('the parser of manifests reads YAML as kubectl does', () => {
  it.each([
    { text: 'a: yes', value: { a: true }, reason: 'yes is true' },
    { text: 'a: "yes"', value: { a: 'yes' }, reason: 'in quotes it is a text' },
    { text: 'a: off', value: { a: false }, reason: 'off is false' },
    { text: 'a: 0644', value: { a: 420 }, reason: 'the mode of a file is octal' },
    { text: 'a: 0o644', value: { a: 420 }, reason: 'the newer way to write octals' },
    { text: 'a: 0x1F', value: { a: 31 }, reason: 'hexadecimal' },
    { text: 'a: 1_000', value: { a: 1000 }, reason: 'underscores between digits' },
    { text: 'a: -5', value: { a: -5 }, reason: 'negative' },
    { text: 'a: 089', value: { a: 89 }, reason: 'no octal number' },
    { text: 'a: 12:30', value: { a: '12:30' }, reason: 'a time of day, not base 60' },
    { text: 'a: 22:22', value: { a: '22:22' }, reason: 'a mapping of ports, not base 60' },
    { text: 'a: 2026-11-21', value: { a: '2026-11-21' }, reason: 'a date stays text' },
    { text: 'a: 1.5e3', value: { a: 1500 }, reason: 'a float' },
    { text: 'a: 1.2.3', value: { a: '1.2.3' }, reason: 'a version' },
    { text: 'a: ~', value: { a: null }, reason: 'null' },
    { text: 'a: 5Gi', value: { a: '5Gi' }, reason: 'a quantity' },
    { text: 'x: &x {b: 1}\na:\n  <<: *x\n  c: 2', value: { x: { b: 1 }, a: { b: 1, c: 2 } }, reason: 'merge keys' },
    { text: '1: a', value: { '1': 'a' }, reason: 'keys are texts' },
    { text: '__proto__: {a: 1}', value: JSON.parse('{"__proto__":{"a":1}}'), reason: 'a key like any other' },
  ])('$text: $reason', ({ text, value }) => {
    expect(dataOf(text)).toEqual(value);
  });
});
