import type { OperationDefinition } from '../contract/operation-definition.js';
import type { AppServiceParts } from './app-service.parts.js';
import { bindCertificate, uploadCertificate } from './certificate.operations.js';
import {
  createConnectedEnvironment,
  createContainerApp,
  deleteContainerApp,
  scaleContainerApp,
} from './container-apps.operations.js';
import { enableAppService } from './enable.operations.js';
import { createEnvironment, deleteEnvironment } from './environment.operations.js';
import { addHostName, removeHostName } from './host-name.operations.js';
import { planMigration } from './migration.operations.js';
import { createPlan } from './plan.operations.js';
import { createWebApp } from './web-app-create.operations.js';
import { configureWebApp, deleteWebApp, restartWebApp, scaleWebApp } from './web-app.operations.js';

export function createAppServiceOperations(parts: AppServiceParts): OperationDefinition[] {
  return [
    enableAppService(parts),
    createEnvironment(parts),
    deleteEnvironment(parts),
    createPlan(parts),
    createWebApp(parts),
    scaleWebApp(parts),
    restartWebApp(parts),
    configureWebApp(parts),
    deleteWebApp(parts),
    addHostName(parts),
    removeHostName(parts),
    uploadCertificate(parts),
    bindCertificate(parts),
    planMigration(parts),
    createConnectedEnvironment(parts),
    createContainerApp(parts),
    scaleContainerApp(parts),
    deleteContainerApp(parts),
  ];
}
