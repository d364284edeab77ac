package segl.interop;

import no.digipost.signature.client.core.OnBehalfOf;
import no.digipost.signature.client.core.SignatureType;
import no.digipost.signature.client.portal.Notifications;
import no.digipost.signature.client.portal.NotificationsUsingLookup;
import no.digipost.signature.client.portal.PortalSigner;
import no.digipost.signature.client.portal.SignerIdentifier;

/** A signer: with an identity number and notified by lookup or at the addresses, or identified by the addresses. */
record SignerDescription(
        String personalIdentificationNumber,
        NotificationsUsingLookup lookup,
        String email,
        String mobileNumber,
        Integer order,
        SignatureType signatureType,
        OnBehalfOf onBehalfOf) {

    PortalSigner signer() {
        PortalSigner.Builder builder = identified();
        if (order != null) {
            builder.withOrder(order);
        }
        if (signatureType != null) {
            builder.withSignatureType(signatureType);
        }
        if (onBehalfOf != null) {
            builder.onBehalfOf(onBehalfOf);
        }
        return builder.build();
    }

    /** How a status change identifies the signer. */
    SignerIdentifier identifier() {
        if (personalIdentificationNumber != null) {
            return SignerIdentifier.identifiedByPersonalIdentificationNumber(personalIdentificationNumber);
        }
        if (email == null) {
            return SignerIdentifier.identifiedByMobileNumber(mobileNumber);
        }
        return mobileNumber == null
                ? SignerIdentifier.identifiedByEmailAddress(email)
                : SignerIdentifier.identifiedByEmailAddressAndMobileNumber(email, mobileNumber);
    }

    private PortalSigner.Builder identified() {
        if (lookup != null) {
            return PortalSigner.identifiedByPersonalIdentificationNumber(personalIdentificationNumber, lookup);
        }
        if (personalIdentificationNumber != null) {
            return PortalSigner.identifiedByPersonalIdentificationNumber(personalIdentificationNumber, notifications());
        }
        if (email == null) {
            return PortalSigner.identifiedByMobileNumber(mobileNumber);
        }
        return mobileNumber == null
                ? PortalSigner.identifiedByEmail(email)
                : PortalSigner.identifiedByEmailAndMobileNumber(email, mobileNumber);
    }

    private Notifications notifications() {
        Notifications.Builder builder = Notifications.builder();
        if (email != null) {
            builder.withEmailTo(email);
        }
        if (mobileNumber != null) {
            builder.withSmsTo(mobileNumber);
        }
        return builder.build();
    }
}
