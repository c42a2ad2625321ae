import { ManualClock } from '#libs/kernel/clock.js';
import { type Json, type JsonObject } from '#libs/kernel/json.js';
import { createSimulator, type Simulator, type SimulatorOptions } from './simulator.server.js';

export const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
export const CLUSTERS_GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks01`;
export const FLEETS_GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks_fleetmng`;
export const CLUSTER_1 = `${CLUSTERS_GROUP}/providers/Microsoft.ContainerService/managedClusters/demo-aks01`;
export const CLUSTER_2 = `${CLUSTERS_GROUP}/providers/Microsoft.ContainerService/managedClusters/demo-aks02`;
export const POOL_1 = `${CLUSTER_1}/agentPools/nodepool1`;
export const FLEET = `${FLEETS_GROUP}/providers/Microsoft.ContainerService/fleets/aks-fleet01`;
export const MEMBER_1 = `${FLEET}/members/demo-aks01-demo-aks01`;

export const AKS_VERSION = '2026-04-01';
export const FLEET_VERSION = '2026-06-01';
export const RESOURCES_VERSION = '2021-04-01';

export interface Answer {
  status: number;
  headers: Record<string, string>;
  /** The body as JSON; null without one. */
  body: JsonObject;
  text: string;
}

type Method = 'GET' | 'HEAD' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';

/** A simulated Azure for one spec: in this process, on a clock that the spec moves. */
export class SimulatedAzure {
  private constructor(
    readonly simulator: Simulator,
    readonly clock: ManualClock,
  ) {}

  static async start(options: SimulatorOptions = {}): Promise<SimulatedAzure> {
    const clock = new ManualClock('2026-11-01T10:00:00Z');
    return new SimulatedAzure(await createSimulator({ clock, ...options }), clock);
  }

  async stop(): Promise<void> {
    await this.simulator.close();
  }

  /** Moves the clock on by as much as an operation takes by default. */
  finishOperations(): void {
    this.clock.advance(3000);
  }

  /** A request with a bearer token; the version is put into the query unless the path has one already. */
  async send(
    method: Method,
    path: string,
    options: { version?: string; body?: Json | string; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const { version, body, headers } = options;
    const separator = path.includes('?') ? '&' : '?';
    const response = await this.simulator.app.inject({
      method,
      url: version === undefined ? path : `${path}${separator}api-version=${version}`,
      headers: { authorization: 'Bearer test', 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = response.body;
    const isJson = text !== '' && String(response.headers['content-type']).includes('json');
    return {
      status: response.statusCode,
      headers: Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
      body: (isJson ? JSON.parse(text) : {}) as JsonObject,
      text,
    };
  }

  async get(path: string, version?: string): Promise<Answer> {
    return this.send('GET', path, version === undefined ? {} : { version });
  }

  async put(path: string, version: string, body: Json, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('PUT', path, { version, body, headers });
  }

  /** Follows a URL that an answer carried. */
  async follow(url: string | undefined): Promise<Answer> {
    const { pathname, search } = new URL(url ?? '');
    return this.get(`${pathname}${search}`);
  }

  /** A query of Resource Graph. */
  async query(query: string, options: JsonObject = {}): Promise<Answer> {
    const path = '/providers/Microsoft.ResourceGraph/resources';
    return this.send('POST', path, { version: '2024-04-01', body: { query, options } });
  }

  /** A request to the simulator itself. */
  async control(method: 'GET' | 'POST' | 'DELETE', path: string, body?: Json): Promise<Answer> {
    return this.send(method, `/_simulator${path}`, body === undefined ? {} : { body });
  }
}

/** The code of an error in either shape. */
export function codeOf(answer: Answer): Json | undefined {
  const { error } = answer.body;
  return (error as JsonObject | undefined)?.code ?? answer.body.code;
}

/** A member that must be text. */
export function textOf(value: Json | undefined): string {
  if (typeof value !== 'string') throw new TypeError(`Text was expected, found ${JSON.stringify(value)}`);
  return value;
}

export function propertiesOf(body: JsonObject): JsonObject {
  return body.properties as JsonObject;
}

export function itemsOf(answer: Answer): JsonObject[] {
  return answer.body.value as JsonObject[];
}
