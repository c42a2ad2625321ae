import { z } from 'zod';
import { rawText } from '#libs/systems/contract/raw-reader.js';
import type { KindDefinition } from '#libs/systems/contract/kind-definition.js';
import type { OperationDefinition } from '#libs/systems/contract/operation-definition.js';
import { resourceReference } from '#libs/systems/contract/resource-reference.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';

const harbourProperties = z.object({
  depth: z.number().nullable().describe('The depth in metres.'),
  pilots: z.int().describe('How many pilots there are.'),
  authority: z
    .object({ name: z.string().describe('Its name.'), public: z.boolean().describe('Whether it is public.') })
    .meta({ id: 'HarbourAuthority', description: 'Who runs the harbour.' })
    .nullable()
    .describe('Who runs the harbour.'),
  marks: z.record(z.string(), z.string()).describe('Sea marks.'),
  quays: z.array(z.string()).describe('The quays.'),
  traffic: z.enum(['Open', 'Closed']).meta({ id: 'HarbourTraffic', description: 'Whether ships may enter.' }),
  tide: z.enum(['high-water', 'low-water']).describe('The tide.'),
});

/** How often a harbour was described: typed fields must share one reading. */
export const describeCalls = { count: 0 };

export const harbourKind: KindDefinition<typeof harbourProperties> = {
  name: 'Harbour',
  description: 'A harbour.',
  armType: 'Test.Sea/harbours',
  properties: harbourProperties,
  describe: (raw) => {
    describeCalls.count++;
    return {
      depth: typeof raw.depth === 'number' ? raw.depth : null,
      pilots: typeof raw.pilots === 'number' ? raw.pilots : 0,
      authority: { name: rawText(raw, 'authority') ?? 'nobody', public: true },
      marks: { red: 'port' },
      quays: ['north', 'south'],
      traffic: 'Open',
      tide: 'high-water',
    };
  },
  relations: [
    {
      name: 'ships',
      description: 'The ships in the harbour.',
      type: 'memberOf',
      direction: 'incoming',
      kind: 'Ship',
      cardinality: 'many',
    },
  ],
};

const shipProperties = z.object({ flag: z.string().nullable().describe('The flag.') });

export const shipKind: KindDefinition<typeof shipProperties> = {
  name: 'Ship',
  description: 'A ship.',
  properties: shipProperties,
  describe: (raw) => ({ flag: rawText(raw, 'flag') }),
  relations: [
    {
      name: 'harbour',
      description: 'The harbour that the ship is in.',
      type: 'memberOf',
      direction: 'outgoing',
      kind: 'Harbour',
      cardinality: 'one',
    },
  ],
};

const dockInput = z.object({
  ship: resourceReference('The ship'),
  harbour: resourceReference('The harbour'),
  quay: z.string().optional().describe('The quay.'),
  tugs: z.int().min(0).max(4).default(1).describe('How many tugs help.'),
  cargo: z
    .object({ name: z.string().describe('What.'), tons: z.number().optional().describe('How much.') })
    .describe('A piece of cargo.')
    .array()
    .optional()
    .describe('What is unloaded.'),
  labels: z.record(z.string(), z.string()).optional().describe('Labels.'),
});

function operationOf<Input extends z.ZodObject>(type: string, title: string, input: Input): OperationDefinition<Input> {
  return {
    type,
    title,
    description: `${title} in the test's own sea.`,
    permission: 'sea/write',
    input,
    references: {},
    timeoutSeconds: 60,
    findings: { QUAY_TAKEN: 'Another ship lies there.' },
    target: () => ({ id: '/subscriptions/x', kind: 'Ship', lock: '/subscriptions/x' }),
    preflight: () => Promise.resolve([]),
    steps: [
      { name: 'sail', description: 'Sails.', run: () => Promise.resolve({ outcome: 'done', message: 'Sailed.' }) },
    ],
    verify: () => Promise.resolve({ verdict: 'reached', result: null, observations: [], absent: [] }),
  };
}

export const dockOperation = operationOf('ship.dock', 'Dock a ship', dockInput);
export const closeOperation = operationOf(
  'harbour.close',
  'Close a harbour',
  z.object({ harbour: resourceReference('The harbour') }),
);

export function fakeRegistry(): SystemRegistry {
  return new SystemRegistry([
    {
      name: 'sea',
      kinds: [harbourKind, shipKind],
      collectors: [],
      watchers: [],
      operations: [dockOperation, closeOperation],
      advisors: [
        { kind: 'Ship', codes: { SHALLOW: 'The keel touches the ground.' }, advise: () => Promise.resolve([]) },
      ],
    },
  ]);
}
