// Passkeys on the pages of signing in and of the account: fetches the options, asks the browser, and sends the answer with the form.
const supported = typeof PublicKeyCredential === "function" && typeof PublicKeyCredential.parseRequestOptionsFromJSON === "function" && typeof PublicKeyCredential.parseCreationOptionsFromJSON === "function";

const messages = { NotAllowedError: "No passkey was used.", InvalidStateError: "This passkey is already here.", SecurityError: "Passkeys do not work at this address." };

async function ask(form) {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (name !== "credential") fields.append(name, String(value));
  // ast-grep-ignore: outbound-only-through-net -- runs in the browser, under a policy that lets it reach this origin alone
  const response = await fetch(form.dataset.options, { method: "POST", body: fields, redirect: "error" });
  // ast-grep-ignore: response-json -- runs in the browser, and reads our own answer
  const options = await response.json();
  if (!response.ok) throw new Error(options.detail);
  const credential =
    form.dataset.passkey === "create"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  return JSON.stringify(credential);
}

for (const form of supported ? document.querySelectorAll("form[data-passkey]") : []) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const alert = form.querySelector("[role=alert]");
    alert.hidden = true;
    ask(form).then(
      (credential) => {
        form.elements.namedItem("credential").value = credential;
        form.submit();
      },
      (error) => {
        alert.textContent = messages[error.name] ?? error.message;
        alert.hidden = false;
      },
    );
  });
}
