import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { resourceReference } from '../contract/resource-reference.js';
import { hostName } from './app-service.inputs.js';
import { hostNameBindingKind, observeHostNameBinding, webAppKind } from './app-service.kinds.js';
import type { AppServiceParts } from './app-service.parts.js';
import { inItsPlace } from './other-place.js';
import { observeReading, readWebApp, webAppIdOf } from './web-app.reading.js';

const addInput = z.strictObject({
  webApp: resourceReference('The web app'),
  hostName: hostName.describe('The host name that is to lead to the web app; DNS has to say the same.'),
});
type HostNameInput = z.output<typeof addInput>;

const addFindings = {
  WEB_APP_NOT_FOUND: 'Azure does not know the web app.',
  HOST_NAME_BOUND: 'The host name leads to the web app already.',
  HOST_NAME_OF_ENVIRONMENT: 'Host names below the domain of the environment are given by App Service itself.',
  DNS_TO_BE_SET: 'DNS has to lead the host name to the environment: requests do not arrive otherwise.',
} as const satisfies Record<string, string>;

export function addHostName(parts: AppServiceParts): OperationDefinition<typeof addInput> {
  const { client } = parts;
  return {
    type: 'appService.hostName.add',
    title: 'Add a host name to a web app',
    description:
      'Lets a host name of your own lead to a web app; a certificate is bound to it by an operation of its own.',
    permission: 'appService/hostNames/write',
    input: addInput,
    references: { webApp: [webAppKind.name] },
    timeoutSeconds: 900,
    findings: addFindings,
    target: hostNameTarget,
    async preflight(context) {
      const findings: Finding[] = [];
      const say = findingReporter(addFindings, findings);
      const reading = await readWebApp(parts, webAppIdOf(context), context);
      if (reading === undefined) {
        say('WEB_APP_NOT_FOUND', 'error', { webApp: webAppIdOf(context).toString() });
        return findings;
      }
      const { hosts, defaultHostName } = reading.properties;
      const wanted = context.input.hostName.toLowerCase();
      if (hosts.some(({ name }) => name.toLowerCase() === wanted)) {
        say('HOST_NAME_BOUND', 'info', { hostName: wanted });
        return findings;
      }
      const domain = defaultHostName?.slice(defaultHostName.indexOf('.'));
      if (domain !== undefined && domain !== '' && wanted.endsWith(domain)) {
        say('HOST_NAME_OF_ENVIRONMENT', 'error', { hostName: wanted, defaultHostName }, 'Use a host name of your own.');
      } else {
        const remedy = `Make a CNAME record that leads ${wanted} to ${defaultHostName ?? 'the default host name'}.`;
        say('DNS_TO_BE_SET', 'info', { hostName: wanted, defaultHostName }, remedy);
      }
      return findings;
    },
    steps: [
      {
        name: 'bind',
        description: 'Asks App Service to bind the host name.',
        async run(context): Promise<StepOutcome> {
          const id = bindingId(context);
          const reading = await client.get(id, context);
          if (reading.state === 'found') return { outcome: 'done', message: `The host name ${id.name} is bound.` };
          const { name } = webAppIdOf(context);
          const properties = { siteName: name, azureResourceType: 'Website', hostNameType: 'Verified' };
          const { webApp, hostName: wanted } = context.input;
          const request = {
            again: 'Add the host name again',
            evidence: { webApp, hostName: wanted },
            operations: [{ type: 'appService.hostName.add', input: { webApp, hostName: wanted } }],
          };
          await inItsPlace(request, () => client.put(id, { properties }, context));
          return { outcome: 'done', message: `App Service has bound the host name ${id.name}.` };
        },
      },
    ],
    verify: (context) => verifyBound(parts, context),
  };
}

async function verifyBound(parts: AppServiceParts, context: OperationContext<HostNameInput>): Promise<Verification> {
  const id = bindingId(context);
  const [binding, reading] = await Promise.all([
    parts.client.get(id, context),
    readWebApp(parts, webAppIdOf(context), context),
  ]);
  if (binding.state === 'missing' || reading === undefined) {
    return { verdict: 'missed', message: `The host name ${id.name} is not bound.` };
  }
  const webApp = await observeReading(parts, reading, context);
  const observedAt = binding.observedAt;
  return {
    verdict: 'reached',
    result: { id: id.toString(), uid: id.uid, hostName: id.name },
    observations: [webApp, observeHostNameBinding(binding.body, webApp, { observedAt, source: 'OPERATION' })],
    absent: [],
  };
}

const removeFindings = {
  HOST_NAME_NOT_FOUND: 'The host name does not lead to the web app.',
  HOST_NAME_IS_DEFAULT: 'The host name that App Service gave cannot be taken away.',
} as const satisfies Record<string, string>;

export function removeHostName(parts: AppServiceParts): OperationDefinition<typeof addInput> {
  const { client } = parts;
  return {
    type: 'appService.hostName.remove',
    title: 'Remove a host name from a web app',
    description: 'Lets a host name no longer lead to a web app. Certificates stay.',
    permission: 'appService/hostNames/delete',
    input: addInput,
    references: { webApp: [webAppKind.name] },
    timeoutSeconds: 900,
    findings: removeFindings,
    target: hostNameTarget,
    async preflight(context) {
      const findings: Finding[] = [];
      const say = findingReporter(removeFindings, findings);
      const reading = await readWebApp(parts, webAppIdOf(context), context);
      const wanted = context.input.hostName.toLowerCase();
      const bound = reading?.properties.hosts.some(({ name }) => name.toLowerCase() === wanted) === true;
      if (!bound) say('HOST_NAME_NOT_FOUND', 'info', { hostName: wanted });
      if (reading?.properties.defaultHostName?.toLowerCase() === wanted) {
        say('HOST_NAME_IS_DEFAULT', 'error', { hostName: wanted }, 'It goes with the web app alone.');
      }
      return findings;
    },
    steps: [
      {
        name: 'remove',
        description: 'Asks App Service to give the host name up.',
        async run(context): Promise<StepOutcome> {
          const id = bindingId(context);
          const reading = await client.get(id, context);
          if (reading.state === 'missing') return { outcome: 'done', message: `The host name ${id.name} is gone.` };
          await client.delete(id, context);
          return { outcome: 'done', message: `App Service has given the host name ${id.name} up.` };
        },
      },
    ],
    async verify(context): Promise<Verification> {
      const id = bindingId(context);
      if ((await client.get(id, context)).state === 'found') {
        return { verdict: 'missed', message: `The host name ${id.name} is still bound.` };
      }
      const reading = await readWebApp(parts, webAppIdOf(context), context);
      return {
        verdict: 'reached',
        result: { removed: id.toString() },
        observations: reading === undefined ? [] : [await observeReading(parts, reading, context)],
        absent: [context.target],
      };
    },
  };
}

/** The host name itself is the target; what is changed with it is the web app. */
function hostNameTarget(input: HostNameInput, references: OperationContext<HostNameInput>['references']) {
  const id = bindingId({ input, references });
  return { id: id.toString(), kind: hostNameBindingKind.name, lock: webAppIdOf({ references }).canonical };
}

function bindingId(context: Pick<OperationContext<HostNameInput>, 'input' | 'references'>): ArmId {
  return webAppIdOf(context).child('hostNameBindings', context.input.hostName.toLowerCase());
}
