import { systemClock } from '#libs/kernel/clock.js';
import type { Clock } from '#libs/kernel/clock.js';
import { fastify } from 'fastify';
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';
import { ArmError } from './arm-error.js';
import { registerArmRoutes } from './arm.routes.js';
import { AzureResourceManager } from './azure-resource-manager.js';
import { AzureState } from './azure.state.js';
import { CertificateAuthority } from './certificate.authority.js';
import { ControlRequestError } from './control.request-error.js';
import { registerControlRoutes } from './control.routes.js';
import { generateEstate } from './estate.generator.js';
import type { EstateSize } from './estate.generator.js';
import { loadEstate } from './estate.loader.js';
import { EstateError, parseEstate } from './estate.schema.js';
import type { Estate, EstateFile } from './estate.schema.js';
import { readIfPresent } from './file.read.js';
import { FaultStore } from './fault.store.js';
import { KUBERNETES_PATH, KubernetesMount } from './kubernetes/kubernetes.mount.js';
import { KubernetesEstate } from './kubernetes/kubernetes.estate.js';
import { KubernetesSnapshotStore } from './kubernetes/kubernetes.snapshot.store.js';
import { registerKubernetesControlRoutes } from './kubernetes.control.routes.js';
import { RequestLog } from './request-log.js';
import { ResourceEngine } from './resource.engine.js';
import { ResourceTypeRegistry } from './resource-type.registry.js';
import { RESOURCE_TYPES } from './resource-types.js';
import { sharedPort } from './shared-port.server.js';
import type { SharedPort } from './shared-port.server.js';
import { SCENARIO_A } from './simulator.options.js';
import { DEFAULT_SETTINGS, settingsSchema } from './simulator.settings.js';
import type { SimulatorSettings } from './simulator.settings.js';
import { StateFile } from './state.file.js';
import { Throttle } from './throttle.js';

/** ARM takes bodies of 4 MiB. */
const BODY_LIMIT = 4 * 1024 * 1024;

export interface SimulatorOptions {
  /** The path of an estate file, an estate, or the size of one to generate; scenario A without it. */
  estate?: string | EstateFile | EstateSize;
  /** Decides when operations are due and what the rate limits have refilled; the machine's without it. */
  clock?: Clock;
  /** What differs from `DEFAULT_SETTINGS`. */
  settings?: Partial<SimulatorSettings>;
  /** Bearer tokens that are accepted; any that is not empty without it. */
  tokens?: readonly string[];
  /** Base of the URLs in answers; without it, what the request says about how it got here. */
  publicUrl?: string;
  /** Keeps the state across restarts. A file that is there wins over the estate. */
  stateFile?: string;
}

export interface Simulator {
  readonly app: FastifyInstance;
  /** Listens and answers the base URL. Port 0, the default, takes a free one. */
  listen(options?: { port?: number; host?: string }): Promise<string>;
  /** Ends hanging answers, writes the state file, closes every connection. */
  close(): Promise<void>;
}

/**
 * A simulated Azure, ready to listen.
 * @throws EstateError naming every fault of the estate
 */
export async function createSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const generated = typeof options.estate === 'object' && 'clusters' in options.estate;
  const initialSettings = settingsSchema.parse({
    ...DEFAULT_SETTINGS,
    // Nobody assigns roles in an estate that is made to be measured.
    ...(generated ? { hubAccess: 'everyone' } : {}),
    ...options.settings,
  });
  const state = new AzureState(new ResourceTypeRegistry(RESOURCE_TYPES), options.clock ?? systemClock, initialSettings);
  const engine = new ResourceEngine(state);
  const throttle = new Throttle(state.clock, () => state.settings.throttleScale);
  const faults = new FaultStore();
  const log = new RequestLog();
  const closing = new AbortController();
  const estate = readEstate(options.estate ?? SCENARIO_A);
  const tokens = options.tokens === undefined ? undefined : new Set(options.tokens);
  const beside = options.stateFile?.replace(/\.json$/, '');
  const authority = new CertificateAuthority(
    beside === undefined ? undefined : `${beside}.certificates.json`,
    options.publicUrl === undefined ? [] : [new URL(options.publicUrl).hostname.replaceAll(/[[\]]/g, '')],
    (certificate) => {
      state.certificateAuthority = certificate;
    },
  );
  const snapshots =
    beside === undefined
      ? undefined
      : new KubernetesSnapshotStore(`${beside}.kubernetes`, (error) =>
          console.error('The objects of a cluster could not be written.', error),
        );
  const kubernetes = new KubernetesEstate({
    state,
    engine,
    tokens,
    faults,
    snapshots,
    report: (error, where) => console.error(`A fault of the simulator itself (${where}):`, error),
  });
  state.clusters = kubernetes;
  const mount = new KubernetesMount({
    estate: kubernetes,
    faults,
    log,
    now: () => state.clock.now(),
    closing: closing.signal,
  });
  let port: SharedPort | undefined;

  const app = fastify({
    serverFactory: (handler) => {
      port = sharedPort((request, response) => {
        if (request.url?.startsWith(KUBERNETES_PATH) === true) mount.handle(request, response);
        else handler(request, response);
      }, authority);
      return port.server;
    },
    bodyLimit: BODY_LIMIT,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    routerOptions: { caseSensitive: false, ignoreTrailingSlash: true },
    frameworkErrors: (error, _request, reply) => {
      const refusal = new ArmError(400, 'InvalidRequestUri', error.message);
      void (reply as FastifyReply).code(400).send(refusal.body);
    },
  });
  const stateFile =
    options.stateFile === undefined
      ? undefined
      : new StateFile(options.stateFile, state, (error) =>
          console.error('The state file could not be written.', error),
        );
  if (stateFile?.restore() !== true) {
    loadEstate(estate, state, engine);
    snapshots?.clear();
  }
  const changed = (): void => stateFile?.schedule();
  state.resources.onChange(changed);
  changed();

  acceptAnyBody(app);
  answerErrors(app);
  registerControlRoutes(app, {
    state,
    engine,
    faults,
    log,
    changed,
    reset: () => {
      state.settings = initialSettings;
      faults.clear();
      log.clear();
      throttle.clear();
      kubernetes.reset();
      loadEstate(estate, state, engine);
    },
  });
  registerKubernetesControlRoutes(app, { state, estate: kubernetes, authority, tokens, publicUrl: options.publicUrl });
  registerArmRoutes(app, {
    manager: new AzureResourceManager(state, engine, throttle),
    state,
    faults,
    log,
    tokens,
    authority,
    publicUrl: options.publicUrl,
    closing: closing.signal,
    changed,
  });
  app.addHook('preClose', (done) => {
    closing.abort(new Error('The simulator shuts down.'));
    // Watches have no end of their own.
    port?.cut();
    done();
  });
  app.addHook('onClose', async () => {
    await kubernetes.close();
    await stateFile?.close();
  });
  await app.ready();
  return {
    app,
    listen: ({ port = 0, host = '127.0.0.1' } = {}) => app.listen({ port, host }),
    close: () => app.close(),
  };
}

function readEstate(source: string | EstateFile | EstateSize): Estate {
  if (typeof source !== 'string') return parseEstate('clusters' in source ? generateEstate(source) : source);
  const text = readIfPresent(source);
  if (text === undefined) throw new EstateError([`${source}: there is no such file`]);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new EstateError([`${source}: ${error.message}`]);
  }
  return parseEstate(value);
}

/** Bodies are read where their shape is known, so that what cannot be read is refused in ARM's words. */
function acceptAnyBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
    done(null, body);
  });
}

function answerErrors(app: FastifyInstance): void {
  app.setNotFoundHandler((request, reply) => {
    const message = `The HTTP method '${request.method}' is not supported.`;
    return reply.code(405).send(new ArmError(405, 'HttpMethodNotAllowed', message).body);
  });
  app.setErrorHandler((error: FastifyError | Error, _request, reply) => {
    if (error instanceof ControlRequestError) {
      const body = { error: { code: 'InvalidControlRequest', message: error.message, faults: error.faults } };
      return reply.code(error.status).send(body);
    }
    const status = 'statusCode' in error ? (error.statusCode ?? 500) : 500;
    if (status < 500) {
      const code = status === 413 ? 'RequestContentTooLarge' : 'BadRequest';
      return reply.code(status).send(new ArmError(status, code, error.message).body);
    }
    console.error('A fault of the simulator itself:', error);
    const message = 'The simulator has a fault of its own; its log says more.';
    return reply.code(500).send(new ArmError(500, 'InternalServerError', message).body);
  });
}
