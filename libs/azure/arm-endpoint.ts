import { type ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';

/** ARM of the public and the sovereign clouds; each also answers under regional names below its own. */
const CLOUD_HOSTS = ['management.azure.com', 'management.usgovcloudapi.net', 'management.chinacloudapi.cn'];
const LOOPBACK_HOST = /^(localhost|([a-z0-9-]+\.)*localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

/**
 * Where ARM is, and which other URLs are ARM's own. Clients always speak https URLs to it, since the official ones
 * refuse anything else; where the endpoint is plain http on a loopback address, `wireUrl` turns them back.
 */
export class ArmEndpoint {
  readonly isLoopback: boolean;
  /** What clients are given: always https, without a trailing slash. */
  readonly clientOrigin: string;
  /** What is asked for when a token is requested. */
  readonly tokenScope: string;
  readonly #wireOrigin: string;
  readonly #host: string;
  readonly #port: string;
  readonly #cloudHost: string | undefined;

  /** @throws TypeError when the text is no usable endpoint: a fault of the configuration. */
  constructor(text: string) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
      throw new TypeError('The ARM endpoint is not an http(s) URL');
    }
    if (url.username !== '' || url.password !== '' || url.pathname !== '/' || url.search !== '' || url.hash !== '') {
      throw new TypeError('The ARM endpoint must be an origin: no credentials, path, query or fragment');
    }
    this.isLoopback = LOOPBACK_HOST.test(url.hostname);
    if (url.protocol === 'http:' && !this.isLoopback) {
      throw new TypeError('The ARM endpoint may be plain http on a loopback address only');
    }
    this.#host = url.hostname.toLowerCase();
    // An http endpoint without a port listens on 80; its https twin must keep saying so.
    this.#port = url.port !== '' ? url.port : url.protocol === 'http:' ? '80' : '';
    this.#wireOrigin = url.origin;
    this.clientOrigin = `https://${url.hostname}${this.#port === '' ? '' : `:${this.#port}`}`;
    this.#cloudHost = CLOUD_HOSTS.find((cloud) => this.#host === cloud || this.#host.endsWith(`.${cloud}`));
    const audience = this.isLoopback ? 'https://management.azure.com' : `https://${this.#cloudHost ?? url.host}`;
    this.tokenScope = `${audience}/.default`;
  }

  /** The client's URL of an ARM path. */
  url(path: ArmId | string, apiVersion: string, query: Readonly<Record<string, string>> = {}): string {
    const url = new URL(`${this.clientOrigin}${encodeURI(path.toString())}`);
    url.searchParams.set('api-version', apiVersion);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url.toString();
  }

  /**
   * The client's URL for one that Azure has handed out (to poll, or for the next page), or undefined where it leads
   * away from ARM: some resource providers give addresses of their own, which must not get our token.
   */
  follow(handedOut: string): string | undefined {
    const base = handedOut.startsWith('/') ? this.clientOrigin : undefined;
    if (!URL.canParse(handedOut, base)) return undefined;
    const url = new URL(handedOut, base);
    if (!this.#isArm(url)) return undefined;
    return this.isLoopback ? `${this.clientOrigin}${url.pathname}${url.search}` : url.toString();
  }

  /**
   * The URL to send a client's request to.
   * @throws ControlError AZURE_UNEXPECTED_ANSWER for one that leads away from ARM.
   */
  wireUrl(clientUrl: string): string {
    const followed = this.follow(clientUrl);
    if (followed === undefined) {
      throw new ControlError(
        'AZURE_UNEXPECTED_ANSWER',
        'Azure sent us to an address that is not Azure Resource Manager.',
      );
    }
    return this.isLoopback ? `${this.#wireOrigin}${followed.slice(this.clientOrigin.length)}` : followed;
  }

  #isArm(url: URL): boolean {
    if (url.username !== '' || url.password !== '') return false;
    const host = url.hostname.toLowerCase();
    if (this.isLoopback) {
      const port = url.port !== '' ? url.port : url.protocol === 'http:' ? '80' : '';
      // A simulator may name itself `localhost` and be asked as `127.0.0.1`.
      return /^https?:$/.test(url.protocol) && LOOPBACK_HOST.test(host) && port === this.#port;
    }
    if (url.protocol !== 'https:' || url.port !== this.#port) return false;
    return (
      host === this.#host ||
      (this.#cloudHost !== undefined && (host === this.#cloudHost || host.endsWith(`.${this.#cloudHost}`)))
    );
  }
}
