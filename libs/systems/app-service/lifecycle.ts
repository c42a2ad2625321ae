import { z } from 'zod';

/** When Azure ended App Service on Kubernetes: no installation since the first day, no support since the second. */
export const INSTALLATIONS_CLOSED_ON = '2025-09-30';
export const RETIRED_ON = '2026-03-31';
/** What takes its place. */
export const SUCCESSOR = 'Microsoft.App/connectedEnvironments';

export const lifecycle = z
  .object({
    state: z
      .literal('Retired')
      .describe('`Retired`: Azure no longer supports it. What is there can still be operated.'),
    installationsClosedOn: z.string().describe('The day since when Azure takes no new installation. ISO date.'),
    retiredOn: z.string().describe('The day since when Azure gives no support. ISO date.'),
    successor: z.string().describe('The type of resource that takes its place.'),
    advice: z.string().describe('What to do about it.'),
  })
  .meta({ id: 'Lifecycle', description: 'The end of a service of Azure, and what takes its place.' });

/** Of everything of App Service that lies on a custom location. */
export const APP_SERVICE_LIFECYCLE: z.output<typeof lifecycle> = {
  state: 'Retired',
  installationsClosedOn: INSTALLATIONS_CLOSED_ON,
  retiredOn: RETIRED_ON,
  successor: SUCCESSOR,
  advice:
    'Move the web apps to Container Apps on Arc: appService.webApp.planMigration tells what each becomes and what is lost.',
};

export const RETIREMENT_FINDING = `Azure retired App Service on Kubernetes on ${RETIRED_ON} and takes no new installation since ${INSTALLATIONS_CLOSED_ON}.`;
export const RETIREMENT_REMEDY =
  'Use Container Apps on Arc instead: containerApps.environment.create on a custom location with the extension Microsoft.App.Environment.';
