/** What the HTTP edges need to know from the configuration. */
export interface ApiSettings {
  /** The largest request body that is read. */
  bodyLimitBytes: number;
  /** How deeply a GraphQL operation may be nested, introspection aside. */
  graphqlMaxDepth: number;
  /** What a GraphQL operation may cost, in objects that it could return; also how many objects it may load. */
  graphqlMaxCost: number;
  /** Event streams and GraphQL subscriptions open at the same moment, over all callers. */
  maxOpenStreams: number;
  /** Milliseconds between two signs of life on an idle stream. */
  heartbeatMs: number;
  /** Milliseconds after which a client that takes nothing more of its stream is let go. */
  streamStallMs: number;
  /** How clients reach this API from outside, without a slash at the end; shown in the OpenAPI document. */
  publicUrl?: string;
}

export const API_SETTINGS = Symbol('ApiSettings');

export const DEFAULT_API_SETTINGS: ApiSettings = {
  bodyLimitBytes: 1_048_576,
  graphqlMaxDepth: 12,
  graphqlMaxCost: 50_000,
  maxOpenStreams: 1_000,
  heartbeatMs: 15_000,
  streamStallMs: 60_000,
};

/** The structured log of the process, a pino logger. */
export const API_LOGGER = Symbol('ApiLogger');
