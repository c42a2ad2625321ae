import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { parseEstateSize } from './estate.generator.js';
import type { EstateSize } from './estate.generator.js';
import { DEFAULT_SETTINGS } from './simulator.settings.js';
import type { SimulatorSettings } from './simulator.settings.js';

/** The estate that is played when nothing else is asked for. */
export const SCENARIO_A = fileURLToPath(new URL('./estates/scenario-a.estate.json', import.meta.url));

/** A cluster outside of Azure that is connected to Azure Arc. */
export const SCENARIO_B = fileURLToPath(new URL('./estates/scenario-b.estate.json', import.meta.url));

/** A host of Azure Stack HCI that workload clusters can be made on. */
export const SCENARIO_C = fileURLToPath(new URL('./estates/scenario-c.estate.json', import.meta.url));

/** Environment variables; all are optional. */
export const environmentSchema = z.object({
  SIMULATOR_PORT: z.coerce.number().int().min(0).max(65_535).default(3100).describe('Port; 0 takes a free one.'),
  SIMULATOR_HOST: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
  SIMULATOR_LRO_SECONDS: z.coerce
    .number()
    .min(0)
    .default(DEFAULT_SETTINGS.lroSeconds)
    .describe('Time of long-running work.'),
  SIMULATOR_INDEX_LAG_SECONDS: z.coerce
    .number()
    .min(0)
    .default(DEFAULT_SETTINGS.indexLagSeconds)
    .describe('How much later Resource Graph sees a change.'),
  SIMULATOR_THROTTLE_SCALE: z.coerce
    .number()
    .min(0)
    .default(DEFAULT_SETTINGS.throttleScale)
    .describe("Multiplies Azure's rate limits; 0 takes them away."),
  SIMULATOR_ESTATE: z.string().min(1).default(SCENARIO_A).describe('Path of an estate file.'),
  SIMULATOR_STATE_FILE: z.string().min(1).optional().describe('Keeps the state across restarts.'),
  SIMULATOR_PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Base of the URLs in answers.'),
  SIMULATOR_TOKENS: z
    .string()
    .optional()
    .describe('Bearer tokens that are accepted, separated by commas; any by default.'),
});

/** How a process of its own is to run. */
export interface ProcessOptions {
  port: number;
  host: string;
  estate: string | EstateSize;
  stateFile: string | undefined;
  publicUrl: string | undefined;
  tokens: string[] | undefined;
  settings: Partial<SimulatorSettings>;
}

/** All that is wrong with the environment and the command line. */
export class OptionsError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`The simulator cannot start:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'OptionsError';
  }
}

/**
 * Reads the environment, then the command line, which wins: `--generate <size>`, `--port <n>`, both also with `=`.
 * @throws OptionsError naming every fault.
 */
export function readProcessOptions(
  environment: Readonly<Record<string, string | undefined>>,
  commandLine: readonly string[],
): ProcessOptions {
  const faults: string[] = [];
  const flags = readFlags(commandLine, faults);
  // An empty variable counts as absent: that is how a compose file leaves one out.
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = environmentSchema.safeParse({
    ...given,
    ...(flags.port === undefined ? {} : { SIMULATOR_PORT: flags.port }),
  });
  if (!parsed.success) faults.push(...parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
  const size = readSize(flags.generate, faults);
  if (!parsed.success || faults.length > 0) throw new OptionsError(faults);
  const { data } = parsed;
  const tokens = data.SIMULATOR_TOKENS?.split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '');
  return {
    port: data.SIMULATOR_PORT,
    host: data.SIMULATOR_HOST,
    estate: size ?? data.SIMULATOR_ESTATE,
    stateFile: data.SIMULATOR_STATE_FILE,
    publicUrl: data.SIMULATOR_PUBLIC_URL,
    tokens,
    settings: {
      lroSeconds: data.SIMULATOR_LRO_SECONDS,
      indexLagSeconds: data.SIMULATOR_INDEX_LAG_SECONDS,
      throttleScale: data.SIMULATOR_THROTTLE_SCALE,
    },
  };
}

function readFlags(commandLine: readonly string[], faults: string[]): { generate?: string; port?: string } {
  const flags: { generate?: string; port?: string } = {};
  for (let index = 0; index < commandLine.length; index++) {
    const [name = '', inline] = commandLine[index]!.split(/=(.*)/s);
    if (name !== '--generate' && name !== '--port') {
      faults.push(`${commandLine[index]}: there are only --generate and --port`);
      continue;
    }
    const value = inline ?? commandLine[++index];
    if (value === undefined) faults.push(`${name}: a value is missing`);
    else flags[name === '--generate' ? 'generate' : 'port'] = value;
  }
  return flags;
}

function readSize(text: string | undefined, faults: string[]): EstateSize | undefined {
  if (text === undefined) return undefined;
  try {
    return parseEstateSize(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    faults.push(`--generate: ${error.message}`);
    return undefined;
  }
}
