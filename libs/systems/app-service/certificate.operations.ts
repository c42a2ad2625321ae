import { z } from 'zod';
import { type ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import { customLocationOf } from '#libs/azure/custom-location.js';
import { reachDesiredState } from '#libs/azure/desired-state.js';
import { memberObject } from '#libs/azure/raw-change.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { rawText, rawTexts } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import { hostName, resourceGroupName, siblingOf } from './app-service.inputs.js';
import {
  CERTIFICATE_TYPE,
  PLAN_TYPE,
  appCertificateKind,
  appServicePlanKind,
  observeCertificate,
  observeHostNameBinding,
  webAppKind,
} from './app-service.kinds.js';
import type { AppServiceParts } from './app-service.parts.js';
import { isOtherPlace, otherPlaceError, type MisplacedRequest } from './other-place.js';
import { covers, readPfx, type PfxCertificate } from './pfx.js';
import { PlaceReader } from './place.reader.js';
import { present } from './wanted-object.js';
import { observeReading, placeMembers, readWebApp, theWebApp, webAppIdOf } from './web-app.reading.js';

const uploadInput = z.strictObject({
  plan: resourceReference('The plan of the web apps that the certificate is for: the certificate lies where it lies'),
  name: z
    .string()
    .max(128)
    .regex(/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/, 'must be letters, digits and . _ -')
    .describe('The name of the certificate in Azure.'),
  resourceGroup: resourceGroupName.optional().describe('The resource group; that of the plan where absent.'),
  pfx: z
    .string()
    .min(1)
    .max(100_000)
    .describe('The certificate with its key: a PKCS #12 file (.pfx) as base64. It is write-only.'),
  password: z.string().max(1000).default('').describe('The password of the file. It is write-only.'),
});
type UploadInput = z.output<typeof uploadInput>;

const uploadFindings = {
  PLAN_NOT_FOUND: 'Azure does not know the plan.',
  PASSWORD_WRONG: 'The password does not open the file.',
  PFX_UNREADABLE: 'The file is no PKCS #12 file, or holds no certificate with its key.',
  CERTIFICATE_EXPIRED: 'The certificate has expired.',
  CERTIFICATE_EXISTS: 'The certificate is there already.',
  CERTIFICATE_REPLACED: 'There is another certificate of this name: it is replaced.',
} as const satisfies Record<string, string>;

export function uploadCertificate(parts: AppServiceParts): OperationDefinition<typeof uploadInput> {
  return {
    type: 'appService.certificate.upload',
    title: 'Upload a certificate',
    description:
      'Puts a certificate with its key where the web apps of a plan are, or replaces it. The key is never shown again.',
    permission: 'appService/certificates/write',
    input: uploadInput,
    secretFields: ['pfx', 'password'],
    references: { plan: [appServicePlanKind.name] },
    timeoutSeconds: 900,
    findings: uploadFindings,
    target(input, references) {
      const id = certificateId(input, referencedArmId(references, 'plan', PLAN_TYPE));
      return { id: id.toString(), kind: appCertificateKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightUpload(parts, context),
    steps: [
      {
        name: 'upload',
        description: 'Hands the certificate to App Service.',
        run: (context) => runUpload(parts, context),
      },
    ],
    verify: (context) => verifyUpload(parts, context),
  };
}

async function preflightUpload(parts: AppServiceParts, context: OperationContext<UploadInput>): Promise<Finding[]> {
  const findings: Finding[] = [];
  const say = findingReporter(uploadFindings, findings);
  const plan = referencedArmId(context.references, 'plan', PLAN_TYPE);
  if ((await parts.client.get(plan, context)).state === 'missing') {
    say('PLAN_NOT_FOUND', 'error', { plan: plan.toString() });
  }
  const reading = readPfx(...contentOf(context));
  if (reading.state === 'unreadable') {
    if (reading.why === 'password')
      say('PASSWORD_WRONG', 'error', {}, 'Give the password that the file was written with.');
    else say('PFX_UNREADABLE', 'error', {}, 'Export the certificate with its key as PKCS #12, and give it as base64.');
    return findings;
  }
  const { thumbprint, expiresAt } = reading.certificate;
  if (expiresAt <= parts.clock.now()) say('CERTIFICATE_EXPIRED', 'error', { expiresAt: expiresAt.toISOString() });
  const existing = await parts.client.get(certificateId(context.input, plan), context);
  if (existing.state === 'missing') return findings;
  const other = rawText(existing.body, 'properties', 'thumbprint');
  if (isSame(other, thumbprint)) say('CERTIFICATE_EXISTS', 'info', { thumbprint });
  else say('CERTIFICATE_REPLACED', 'warning', { thumbprint: other });
  return findings;
}

async function runUpload(parts: AppServiceParts, context: StepContext<UploadInput>): Promise<StepOutcome> {
  const { client } = parts;
  const planId = referencedArmId(context.references, 'plan', PLAN_TYPE);
  const id = certificateId(context.input, planId);
  const { thumbprint } = certificateOf(context);
  const existing = await client.get(id, context);
  if (existing.state === 'found' && isSame(rawText(existing.body, 'properties', 'thumbprint'), thumbprint)) {
    return { outcome: 'done', message: `The certificate ${id.name} is there.`, output: { thumbprint } };
  }
  const plan = present(await client.get(planId, context), `The plan ${planId.name}`);
  const [content, password] = contentOf(context);
  const place = placeMembers(plan.body, `The plan ${planId.name}`);
  const body: JsonObject = {
    ...place,
    properties: {
      serverFarmId: planId.toString(),
      pfxBlob: content.reveal(),
      password: password.reveal(),
    },
  };
  try {
    await client.put(id, body, context);
  } catch (error) {
    if (isOtherPlace(error)) {
      const evidence = { certificate: id.toString(), sent: place };
      throw otherPlaceError(error, { again: 'Upload the certificate again', evidence, operations: [] }, null);
    }
    throw error instanceof ControlError ? withoutContent(error, id) : error;
  }
  return { outcome: 'done', message: `App Service has taken the certificate ${id.name}.`, output: { thumbprint } };
}

/** What a server says of a certificate may repeat what was sent: neither its words nor its error go on. */
function withoutContent(error: ControlError, id: ArmId): ControlError {
  return new ControlError(error.code, `App Service did not take the certificate ${id.name}.`, {
    retry: error.retry,
    ...(error.externalCode === undefined ? {} : { externalCode: error.externalCode }),
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
  });
}

async function verifyUpload(parts: AppServiceParts, context: OperationContext<UploadInput>): Promise<Verification> {
  const { client } = parts;
  const id = certificateId(context.input, referencedArmId(context.references, 'plan', PLAN_TYPE));
  const { thumbprint, hostNames, expiresAt } = certificateOf(context);
  const reading = await client.get(id, context);
  if (reading.state === 'missing' || !isSame(rawText(reading.body, 'properties', 'thumbprint'), thumbprint)) {
    return { verdict: 'missed', message: `The certificate ${id.name} is not there.` };
  }
  return {
    verdict: 'reached',
    result: { id: id.toString(), uid: id.uid, thumbprint, hostNames, expiresAt: expiresAt.toISOString() },
    observations: [await observedCertificate(parts, reading.body, reading.observedAt, context)],
    absent: [],
  };
}

async function observedCertificate(
  parts: AppServiceParts,
  body: JsonObject,
  observedAt: Date,
  context: OperationContext<unknown>,
) {
  const customLocation = customLocationOf(body);
  const places = new PlaceReader(parts.client, parts.kube, context);
  const place = customLocation === undefined ? undefined : await places.find(customLocation);
  return observeCertificate(body, place, { observedAt, source: 'OPERATION' });
}

/** @throws ControlError INVALID_REQUEST for a file that preflight would have refused. */
function certificateOf(context: OperationContext<UploadInput>): PfxCertificate {
  const reading = readPfx(...contentOf(context));
  if (reading.state === 'read') return reading.certificate;
  throw new ControlError('INVALID_REQUEST', 'The certificate cannot be read.');
}

function contentOf({ input, secrets }: OperationContext<UploadInput>): [content: Secret, password: Secret] {
  return [secrets.pfx ?? new Secret(input.pfx), secrets.password ?? new Secret(input.password)];
}

function isSame(left: string | null, right: string): boolean {
  return left?.toUpperCase() === right.toUpperCase();
}

function certificateId(input: UploadInput, plan: ArmId): ArmId {
  return siblingOf(plan, CERTIFICATE_TYPE, input.name, input.resourceGroup);
}

const bindInput = z.strictObject({
  webApp: resourceReference('The web app'),
  hostName: hostName.describe('The host name of the web app that is to be served with the certificate.'),
  certificate: resourceReference('The certificate, lying where the web app lies'),
});
type BindInput = z.output<typeof bindInput>;

const bindFindings = {
  WEB_APP_NOT_FOUND: 'Azure does not know the web app.',
  CERTIFICATE_NOT_FOUND: 'Azure does not know the certificate.',
  HOST_NAME_NOT_BOUND: 'The host name does not lead to the web app.',
  HOST_NAME_NOT_COVERED: 'The certificate was not issued for the host name.',
  CERTIFICATE_ELSEWHERE: 'The certificate does not lie on the custom location of the web app.',
  CERTIFICATE_EXPIRED: 'The certificate has expired.',
  CERTIFICATE_BOUND: 'The host name is served with the certificate already.',
} as const satisfies Record<string, string>;

export function bindCertificate(parts: AppServiceParts): OperationDefinition<typeof bindInput> {
  return {
    type: 'appService.certificate.bind',
    title: 'Bind a certificate to a host name',
    description: 'Lets a host name of a web app be served with a certificate, by server name indication (SNI).',
    permission: 'appService/hostNames/write',
    input: bindInput,
    references: { webApp: [webAppKind.name], certificate: [appCertificateKind.name] },
    timeoutSeconds: 900,
    findings: bindFindings,
    target(_input, references) {
      const id = webAppIdOf({ references });
      referencedArmId(references, 'certificate', CERTIFICATE_TYPE);
      return { id: id.toString(), kind: webAppKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightBind(parts, context),
    steps: [
      {
        name: 'bind',
        description: 'Writes the web app back with the certificate of the host name, and with its extended location.',
        run: (context) => runBind(parts, context),
      },
    ],
    verify: (context) => verifyBind(parts, context),
  };
}

async function preflightBind(parts: AppServiceParts, context: OperationContext<BindInput>): Promise<Finding[]> {
  const findings: Finding[] = [];
  const say = findingReporter(bindFindings, findings);
  const wanted = context.input.hostName.toLowerCase();
  const given = referencedArmId(context.references, 'certificate', CERTIFICATE_TYPE);
  const [webApp, certificate] = await Promise.all([
    readWebApp(parts, webAppIdOf(context), context),
    parts.client.get(given, context),
  ]);
  if (webApp === undefined) say('WEB_APP_NOT_FOUND', 'error', { webApp: webAppIdOf(context).toString() });
  if (certificate.state === 'missing') {
    say(
      'CERTIFICATE_NOT_FOUND',
      'error',
      { certificate: given.toString() },
      'Upload it: appService.certificate.upload.',
    );
  }
  if (webApp === undefined || certificate.state === 'missing') return findings;
  const host = webApp.properties.hosts.find(({ name }) => name.toLowerCase() === wanted);
  if (host === undefined) {
    const evidence = { hostName: wanted, hostNames: webApp.properties.hosts.map(({ name }) => name) };
    say('HOST_NAME_NOT_BOUND', 'error', evidence, 'Add the host name to the web app first.', [
      { type: 'appService.hostName.add', input: { webApp: webApp.id.toString(), hostName: wanted } },
    ]);
  }
  const names = rawTexts(certificate.body, 'properties', 'hostNames');
  if (names.length > 0 && !covers(names, wanted)) {
    say(
      'HOST_NAME_NOT_COVERED',
      'error',
      { hostName: wanted, covered: names },
      'Use a certificate for this host name.',
    );
  }
  const [here, there] = [customLocationOf(webApp.body), customLocationOf(certificate.body)];
  if (here?.canonical !== there?.canonical) {
    const evidence = { webApp: here?.toString() ?? null, certificate: there?.toString() ?? null };
    const remedy = `Upload it once more, by appService.certificate.upload with the plan ${webApp.properties.planId ?? 'of the web app'}.`;
    say('CERTIFICATE_ELSEWHERE', 'error', evidence, remedy);
  }
  const expiresAt = rawText(certificate.body, 'properties', 'expirationDate');
  if (expiresAt !== null && Date.parse(expiresAt) <= parts.clock.now().getTime()) {
    say('CERTIFICATE_EXPIRED', 'error', { expiresAt });
  }
  const thumbprint = rawText(certificate.body, 'properties', 'thumbprint');
  if (host?.sslState === 'SniEnabled' && thumbprint !== null && isSame(host.thumbprint, thumbprint)) {
    say('CERTIFICATE_BOUND', 'info', { hostName: wanted, thumbprint });
  }
  return findings;
}

async function runBind(parts: AppServiceParts, context: StepContext<BindInput>): Promise<StepOutcome> {
  const { client } = parts;
  const name = context.input.hostName.toLowerCase();
  const thumbprint = await thumbprintOf(parts, context);
  const { id, body } = await theWebApp(parts, webAppIdOf(context), context);
  const place = placeMembers(body, `The web app ${id.name}`);
  try {
    return await reachDesiredState(
      client.arm,
      context.resumeToken,
      {
        working: `App Service takes the certificate over for ${name}.`,
        read: () => client.get(bindingOf(context), context),
        judge: (reading) =>
          isServedWith(present(reading, `The host name ${name}`).body, thumbprint)
            ? { verdict: 'reached', message: `${name} is served with the certificate.` }
            : { verdict: 'different' },
        write: () =>
          client.change(
            id,
            { body },
            (change) => {
              Object.assign(change, place);
              const sslState = { name, sslState: 'SniEnabled', thumbprint, toUpdate: true };
              memberObject(change, 'properties').hostNameSslStates = [sslState];
            },
            context,
          ),
      },
      context,
    );
  } catch (error) {
    if (!isOtherPlace(error)) throw error;
    return {
      outcome: 'failed',
      error: otherPlaceError(error, bindRequest(context, place)),
      output: { hostName: name, sent: place },
    };
  }
}

function bindRequest({ input }: StepContext<BindInput>, place: JsonObject): MisplacedRequest {
  return {
    again: 'Bind the certificate again',
    evidence: { webApp: input.webApp, sent: place },
    operations: [{ type: 'appService.certificate.bind', input: { ...input } }],
  };
}

async function verifyBind(parts: AppServiceParts, context: OperationContext<BindInput>): Promise<Verification> {
  const name = context.input.hostName.toLowerCase();
  const thumbprint = await thumbprintOf(parts, context);
  const reading = await readWebApp(parts, webAppIdOf(context), context);
  // By the host name itself: the web app may show it a little later.
  const binding = await parts.client.get(bindingOf(context), context);
  if (reading === undefined || binding.state === 'missing' || !isServedWith(binding.body, thumbprint)) {
    return { verdict: 'missed', message: `${name} is not served with the certificate.` };
  }
  const webApp = await observeReading(parts, reading, context);
  return {
    verdict: 'reached',
    result: { webApp: reading.id.toString(), hostName: name, thumbprint, sslState: 'SniEnabled' },
    observations: [
      webApp,
      observeHostNameBinding(binding.body, webApp, { observedAt: binding.observedAt, source: 'OPERATION' }),
    ],
    absent: [],
  };
}

/** @throws ControlError AZURE_NOT_FOUND */
async function thumbprintOf(parts: AppServiceParts, context: OperationContext<BindInput>): Promise<string> {
  const id = referencedArmId(context.references, 'certificate', CERTIFICATE_TYPE);
  const { body } = present(await parts.client.get(id, context), `The certificate ${id.name}`);
  const thumbprint = rawText(body, 'properties', 'thumbprint');
  if (thumbprint !== null) return thumbprint;
  throw new ControlError('AZURE_UNEXPECTED_ANSWER', `Azure tells no thumbprint of the certificate ${id.name}.`);
}

function isServedWith(binding: JsonObject, thumbprint: string): boolean {
  return (
    rawText(binding, 'properties', 'sslState') === 'SniEnabled' &&
    isSame(rawText(binding, 'properties', 'thumbprint'), thumbprint)
  );
}

function bindingOf(context: OperationContext<BindInput>): ArmId {
  return webAppIdOf(context).child('hostNameBindings', context.input.hostName.toLowerCase());
}
