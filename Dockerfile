# One image for every role: the command says which (dist/apps/{api,worker,simulator}/main.js).
FROM node:24-slim AS build
WORKDIR /house
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build

FROM node:24-slim AS packages
WORKDIR /house
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM node:24-slim
ENV NODE_ENV=production NODE_OPTIONS=--enable-source-maps
WORKDIR /house
COPY --from=packages /house/node_modules node_modules
COPY --from=build /house/dist dist
COPY package.json ./
# The image's own unprivileged account.
USER node
EXPOSE 3000
CMD ["node", "dist/apps/api/main.js"]
