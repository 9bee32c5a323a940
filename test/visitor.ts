/** A browser without a screen: keeps cookies, reads forms, sends them. */

export interface Visitor {
  readonly cookies: Map<string, string>;
  get(path: string): Promise<Visit>;
  /** Sends the form with this action of the page last seen, its hidden fields and these. */
  submit(action: string, fields?: Record<string, string>): Promise<Visit>;
  post(path: string, fields: Record<string, string>, headers?: Record<string, string>): Promise<Visit>;
}

export interface Visit {
  status: number;
  /** Of a redirect. */
  location: string | null;
  headers: Headers;
  text: string;
}

/** @param url of the product. */
export function visitor(url: string, headers: Record<string, string> = {}): Visitor {
  const cookies = new Map<string, string>();
  let page = "";
  const send = async (path: string, init: RequestInit): Promise<Visit> => {
    const response = await fetch(new URL(path, url), { redirect: "manual", ...init, headers: { ...headers, ...(cookies.size > 0 ? { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") } : {}), ...(init.headers as Record<string, string>) } });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ""] = line.split(";");
      const at = pair.indexOf("=");
      if (/max-age=0/i.test(line)) cookies.delete(pair.slice(0, at));
      else cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const text = await response.text();
    if (response.headers.get("content-type")?.startsWith("text/html")) page = text;
    return { status: response.status, location: response.headers.get("location"), headers: response.headers, text };
  };
  const post: Visitor["post"] = (path, fields, more = {}) => send(path, { method: "POST", body: new URLSearchParams(fields), headers: more });
  return {
    cookies,
    get: (path) => send(path, {}),
    post,
    submit(action, fields = {}) {
      const form = page.split("<form ").find((part) => part.includes(`action="${action}"`));
      if (form === undefined) throw new Error(`no form for ${action} in ${page}`);
      const own = Object.fromEntries([...(form.split("</form>")[0] ?? "").matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(([, name = "", value = ""]) => [name, unescape(value)]));
      return post(action, { ...own, ...fields });
    },
  };
}

function unescape(text: string): string {
  return text.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
