package segl.interop;

import no.digipost.signature.client.core.PollingQueue;
import no.digipost.signature.client.core.Sender;

/** The sender of a job, with or without a queue of its own. */
record SenderDescription(String organizationNumber, String pollingQueue) {

    Sender sender() {
        return pollingQueue == null
                ? new Sender(organizationNumber)
                : new Sender(organizationNumber, PollingQueue.of(pollingQueue));
    }
}
