import { createHash } from 'node:crypto';
import { getStaticFile, type StaticFile } from 'ruru/static';
import { ruruHTML, type RuruClientConfig } from 'ruru/server';

const STATIC_PATH = '/graphiql/static/';

const FIRST_QUERY = `# Send your token with every request: the Headers tab below, { "authorization": "Bearer …" }
{
  resources(first: 20) {
    nodes { kind name location health freshness { ageSeconds source } }
    partial
  }
}
`;

export interface Page {
  html: string;
  /** What the page may load and run. */
  contentSecurityPolicy: string;
}

/** GraphiQL, with everything that it needs from this server. */
export function graphiqlPage(): Page {
  const html = ruruHTML({
    staticPath: STATIC_PATH,
    endpoint: '/graphql',
    htmlParts: { titleTag: '<title>Pilothouse GraphQL</title>' },
    // Every member is optional where it is used; the type says otherwise.
    clientConfig: {
      defaultQuery: FIRST_QUERY,
      defaultHeaders: '{ "authorization": "Bearer " }',
      isHeadersEditorEnabled: true,
    } as RuruClientConfig,
  });
  return {
    html,
    contentSecurityPolicy: [
      "default-src 'none'",
      `script-src 'self' ${inlineScriptHashes(html).join(' ')}`,
      "style-src 'self' 'unsafe-inline'",
      "img-src 'self' data:",
      "font-src 'self' data:",
      "worker-src 'self' blob:",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'none'",
    ].join('; '),
  };
}

/** A file of the page, undefined where there is none. */
export async function graphiqlFile(path: string, acceptEncoding: string | undefined): Promise<StaticFile | undefined> {
  const file = await getStaticFile({
    staticPath: STATIC_PATH,
    urlPath: STATIC_PATH + path,
    acceptEncoding,
    disallowDevAssets: true,
  });
  return file ?? undefined;
}

function inlineScriptHashes(html: string): string[] {
  const scripts = html.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([^]*?)<\/script>/g);
  return [...scripts].map(
    ([, script]) =>
      `'sha256-${createHash('sha256')
        .update(script ?? '')
        .digest('base64')}'`,
  );
}
