/** What this server says of itself to provisioning clients (RFC 7643 sections 5 to 7). */
import { groupUrn } from "./groups.ts";
import { userUrn } from "./users.ts";

const list = (resources: object[]) => ({ schemas: ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], totalResults: resources.length, startIndex: 1, itemsPerPage: resources.length, Resources: resources });

export function serviceProviderConfig(publicUrl: string): object {
  return {
    schemas: ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
    patch: { supported: true },
    bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
    filter: { supported: true, maxResults: 200 },
    changePassword: { supported: false },
    sort: { supported: false },
    etag: { supported: true },
    authenticationSchemes: [{ type: "oauthbearertoken", name: "Bearer token", description: "An API key or access token of scope scim", specUri: "https://www.rfc-editor.org/rfc/rfc6750", primary: true }],
    meta: { resourceType: "ServiceProviderConfig", location: `${publicUrl}/scim/v2/ServiceProviderConfig` },
  };
}

export function resourceTypes(publicUrl: string): object {
  const type = (name: string, schema: string) => ({ schemas: ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"], id: name, name, endpoint: `/${name}s`, schema, schemaExtensions: [], meta: { resourceType: "ResourceType", location: `${publicUrl}/scim/v2/ResourceTypes/${name}` } });
  return list([type("User", userUrn), type("Group", groupUrn)]);
}

interface Attribute {
  name: string;
  type?: "string" | "boolean" | "complex" | "reference";
  multiValued?: boolean;
  required?: boolean;
  mutability?: "readWrite" | "readOnly";
  uniqueness?: "none" | "server";
  caseExact?: boolean;
  subAttributes?: Attribute[];
}

function attribute({ name, type = "string", multiValued = false, required = false, mutability = "readWrite", uniqueness = "none", caseExact = false, subAttributes }: Attribute): object {
  return { name, type, multiValued, required, mutability, returned: "default", uniqueness, caseExact, description: name, ...(subAttributes ? { subAttributes: subAttributes.map(attribute) } : {}) };
}

export function schemas(publicUrl: string): object {
  const schema = (id: string, name: string, attributes: Attribute[]) => ({ schemas: ["urn:ietf:params:scim:schemas:core:2.0:Schema"], id, name, description: name, attributes: attributes.map(attribute), meta: { resourceType: "Schema", location: `${publicUrl}/scim/v2/Schemas/${id}` } });
  const reference: Attribute[] = [{ name: "value" }, { name: "display", mutability: "readOnly" }, { name: "$ref", type: "reference", mutability: "readOnly" }];
  return list([
    schema(userUrn, "User", [
      { name: "userName", required: true, uniqueness: "server" },
      { name: "externalId", caseExact: true },
      { name: "displayName" },
      { name: "name", type: "complex", subAttributes: [{ name: "formatted" }, { name: "givenName" }, { name: "familyName" }] },
      { name: "emails", type: "complex", multiValued: true, subAttributes: [{ name: "value" }, { name: "type" }, { name: "primary", type: "boolean" }] },
      { name: "active", type: "boolean" },
      { name: "groups", type: "complex", multiValued: true, mutability: "readOnly", subAttributes: reference },
    ]),
    schema(groupUrn, "Group", [{ name: "displayName", required: true, uniqueness: "server" }, { name: "externalId", caseExact: true }, { name: "members", type: "complex", multiValued: true, subAttributes: reference }]),
  ]);
}
