import { ManualClock, delay, type Clock } from '#libs/kernel/clock.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import { createAzure, type Azure } from '#libs/azure/azure.js';
import { DEFAULT_AZURE_OPTIONS, type AzureOptions } from '#libs/azure/azure.options.js';
import type { OperationDefinition, StepOutcome, Verification } from '#libs/systems/contract/operation-definition.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import { contextOf } from '#libs/systems/contract/system.contract-suite.js';
import { createSimulator, type Simulator, type SimulatorOptions } from '../../apps/simulator/simulator.server.js';

export const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
export const CLUSTER_1 = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks01/providers/Microsoft.ContainerService/managedClusters/demo-aks01`;
export const CLUSTER_2 = CLUSTER_1.replace('demo-aks01', 'demo-aks02');
export const POOL_1 = `${CLUSTER_1}/agentPools/nodepool1`;
export const FLEET = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks_fleetmng/providers/Microsoft.ContainerService/fleets/aks-fleet01`;
export const MEMBER_1 = `${FLEET}/members/demo-aks01-demo-aks01`;
export const MEMBER_2 = `${FLEET}/members/demo-aks02-demo-aks01`;

export interface LoggedRequest {
  method: string;
  path: string;
  status: number | null;
  correlationId: string;
  body: unknown;
}

const LOOK_AGAIN_MS = 50;
const MOST_RUNS = 600;

/** The real clients over HTTP to a simulator in this process, whose clock the test moves. */
export class AzureOnSimulator {
  private constructor(
    readonly azure: Azure,
    readonly origin: string,
    private readonly simulator: Simulator,
    private readonly clock: Clock,
  ) {}

  static async start(
    options: SimulatorOptions = {},
    azureOptions: Partial<AzureOptions> = {},
  ): Promise<AzureOnSimulator> {
    const clock = options.clock ?? new ManualClock('2026-11-01T10:00:00Z');
    const simulator = await createSimulator({ ...options, clock });
    const origin = await simulator.listen();
    const azure = createAzure({
      ...DEFAULT_AZURE_OPTIONS,
      armEndpoint: origin,
      staticToken: new Secret('simulated'),
      requestTimeoutMs: 2000,
      retryBaseMs: 1,
      pollIntervalSeconds: 2,
      ...azureOptions,
    });
    return new AzureOnSimulator(azure, origin, simulator, clock);
  }

  stop(): Promise<void> {
    return this.simulator.close();
  }

  /** Lets work in Azure go on, and Resource Graph catch up with it. */
  advance(seconds: number): void {
    if (!(this.clock instanceof ManualClock)) throw new Error('Nobody moves the clock on the wall.');
    this.clock.advance(seconds * 1000);
  }

  /** Until a caller that was told to wait looks again: on the wall's clock it looks more often than it was told. */
  async pass(seconds: number): Promise<void> {
    if (this.clock instanceof ManualClock) this.clock.advance(seconds * 1000);
    else await delay(Math.min(seconds * 1000, LOOK_AGAIN_MS));
  }

  /** Something that happens to Azure from the outside: `/_simulator/…`. */
  async control(path: string, body?: JsonObject): Promise<JsonObject> {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(`${this.origin}/_simulator/${path}`, init);
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return isJsonObject(answer) ? answer : {};
  }

  async requests(filter: Record<string, string> = {}): Promise<LoggedRequest[]> {
    const { requests } = await this.control(`requests?${new URLSearchParams(filter).toString()}`);
    return requests as unknown as LoggedRequest[];
  }

  /** What we have asked Azure to change, in order. */
  async writes(): Promise<string[]> {
    const all = await this.requests();
    return all
      .filter(({ method }) => ['PUT', 'PATCH', 'DELETE'].includes(method))
      .map(({ method, path }) => `${method} ${path}`);
  }
}

/** Plays the runner: each step until it is done, waiting as it is told to, then verification. */
export class OperationPlayer {
  readonly context;
  #token: Secret | undefined;
  #attempt = 0;

  constructor(
    private readonly world: AzureOnSimulator,
    private readonly operation: OperationDefinition,
    input: JsonObject,
    references: Readonly<Record<string, ResourceTarget>>,
  ) {
    this.context = contextOf(operation, operation.input.parse(input), references);
  }

  async findings(): Promise<string[]> {
    return (await this.operation.preflight(this.context)).map(({ code, severity }) => `${severity} ${code}`);
  }

  /** One run of a step; the token is what the run before has returned. */
  async runStep(name?: string): Promise<StepOutcome> {
    const step =
      name === undefined ? this.operation.steps[0] : this.operation.steps.find((candidate) => candidate.name === name);
    this.#attempt += 1;
    const outcome = await step!.run({ ...this.context, resumeToken: this.#token, attempt: this.#attempt });
    if (outcome.outcome === 'wait') this.#token = outcome.resumeToken;
    if (outcome.outcome === 'done') this.#token = undefined;
    return outcome;
  }

  /** The worker is killed before it could save the token. */
  forgetToken(): void {
    this.#token = undefined;
  }

  async play(): Promise<Verification> {
    for (const step of this.operation.steps) {
      for (let runs = 1; ; runs++) {
        const outcome = await this.runStep(step.name);
        if (outcome.outcome === 'done') break;
        if (outcome.outcome === 'failed') throw outcome.error;
        if (runs > MOST_RUNS) throw new Error(`${step.name} does not end: ${outcome.message}`);
        await this.world.pass(outcome.retryAfterSeconds);
      }
    }
    return this.operation.verify(this.context);
  }
}
