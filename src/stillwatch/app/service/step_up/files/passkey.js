// The passkey page: asks the device, and sends what it answers as a form.
// Options come from the server and everything is checked there: nothing here decides anything.
"use strict";

const form = document.getElementById("passkey");
const begin = document.getElementById("begin");
const told = document.getElementById("told");

const bytes = text => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), sign => sign.charCodeAt(0));
const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const named = list => (list ?? []).map(each => ({...each, id: bytes(each.id)}));

function asked() {
  const options = JSON.parse(form.dataset.options);
  const challenge = bytes(options.challenge);
  return form.dataset.do === "create"
    ? {...options, challenge, user: {...options.user, id: bytes(options.user.id)}, excludeCredentials: named(options.excludeCredentials)}
    : {...options, challenge, allowCredentials: named(options.allowCredentials)};
}

function answered(credential) {
  const {id, type, rawId, response, authenticatorAttachment} = credential;
  const told = {clientDataJSON: text(response.clientDataJSON)};
  if (form.dataset.do === "create") {
    told.attestationObject = text(response.attestationObject);
    told.transports = response.getTransports?.() ?? [];
  } else {
    told.authenticatorData = text(response.authenticatorData);
    told.signature = text(response.signature);
    if (response.userHandle) told.userHandle = text(response.userHandle);
  }
  return {id, type, rawId: text(rawId), response: told, authenticatorAttachment, clientExtensionResults: credential.getClientExtensionResults()};
}

form.addEventListener("submit", async event => {
  event.preventDefault();
  begin.disabled = true;
  told.className = "";
  told.textContent = form.dataset.waiting;
  try {
    const options = {publicKey: asked()};
    const credential = await (form.dataset.do === "create" ? navigator.credentials.create(options) : navigator.credentials.get(options));
    document.getElementById("answer").value = JSON.stringify(answered(credential));
    form.submit();
  } catch (error) {
    told.className = "wrong";
    told.textContent = error.name === "InvalidStateError" ? form.dataset.known : form.dataset.cancelled;
    begin.disabled = false;
  }
});

if (window.PublicKeyCredential) {
  begin.hidden = false;
} else {
  told.className = "wrong";
  told.textContent = form.dataset.unable;
}
document.getElementById("problem")?.focus();
