/** Groups as SCIM has them (RFC 7643 section 4.2): name and members. What membership gives is for administrators to say. */
import { z } from "zod";
import type { GroupState, Snapshot } from "../../snapshot/index.ts";
import { groupName } from "../groups/routes.ts";
import type { GroupChange } from "../groups/groups.ts";
import { scimError } from "./errors.ts";
import { fits } from "./filter.ts";
import type { Step } from "./patch.ts";

export const groupUrn = "urn:ietf:params:scim:schemas:core:2.0:Group";
const member = z.object({ value: z.string().min(1).max(100) });
const members = z.array(member).max(10_000);

export const scimGroupSchema = z.object({ displayName: groupName, externalId: z.string().min(1).max(500).nullish(), members: members.nullish() });

export function presentGroup(group: GroupState, snapshot: Pick<Snapshot, "users">, publicUrl: string) {
  return {
    schemas: [groupUrn],
    id: group.id,
    displayName: group.name,
    externalId: group.externalId,
    members: [...group.members].map((id) => ({ value: id, display: snapshot.users.get(id)?.username, type: "User", $ref: `${publicUrl}/scim/v2/Users/${id}` })),
    meta: { resourceType: "Group", created: new Date(group.createdAt).toISOString(), lastModified: new Date(group.updatedAt).toISOString(), location: `${publicUrl}/scim/v2/Groups/${group.id}`, version: `W/"${group.revision}"` },
  };
}

/** One change of the group from all the steps of a PATCH, in their order. */
export function groupChangeOf(group: GroupState, steps: readonly Step[]): GroupChange {
  const change: GroupChange = {};
  const after = new Set(group.members);
  for (const { op, path, value } of steps) {
    if (path.attribute === "displayname" && op !== "remove") change.name = parsed(groupName, value, "displayName");
    else if (path.attribute === "externalid") change.externalId = op === "remove" ? null : parsed(z.string().min(1).max(500), value, "externalId");
    else if (path.attribute === "members") {
      const filter = path.filter;
      // Okta names whom to remove in the path, Entra in the value; with neither all go.
      const named = value === undefined || value === null ? [] : parsed(members, Array.isArray(value) ? value : [value], "members").map((one) => one.value);
      if (op === "remove") for (const id of filter ? [...after].filter((one) => fits({ value: one }, filter)) : value === undefined || value === null ? [...after] : named) after.delete(id);
      else {
        if (filter) throw scimError("invalidPath", "members can be filtered for removal only");
        if (op === "replace") after.clear();
        for (const id of named) after.add(id);
      }
    }
  }
  const removed = [...group.members].filter((id) => !after.has(id));
  const added = [...after].filter((id) => !group.members.has(id));
  return { ...change, ...(removed.length > 0 ? { removeMembers: removed } : {}), ...(added.length > 0 ? { addMembers: added } : {}) };
}

function parsed<S extends z.ZodType>(schema: S, value: unknown, name: string): z.output<S> {
  const result = schema.safeParse(value);
  if (!result.success) throw scimError("invalidValue", `${name}: ${result.error.issues[0]?.message ?? "not valid"}`);
  return result.data;
}

